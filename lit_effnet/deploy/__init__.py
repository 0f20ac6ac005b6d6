"""INT8 and export: each runtime writes, runs and quantizes networks, compared with float32."""
