"""A network in the files of other programs: written, run, and compared with eager float32."""
