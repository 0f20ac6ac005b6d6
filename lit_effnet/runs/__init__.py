"""The ledger's files, read and written without torch or Lightning."""
