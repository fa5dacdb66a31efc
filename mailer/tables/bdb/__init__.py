"""Berkeley DB files, hash and tree, read and written without the library."""
