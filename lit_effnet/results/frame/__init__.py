"""Run folders and result files to one data frame."""
