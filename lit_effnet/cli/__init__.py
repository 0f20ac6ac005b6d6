"""What commands share: parser, one-line errors, tables, number formats."""
