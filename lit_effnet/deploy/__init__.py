"""INT8 and export: write, run and quantize for each runtime, held to eager float32."""
