"""Shared by all commands: parser, one-line errors, output, tables, number formats."""
