"""Read and write the files of runs, without torch or Lightning."""
