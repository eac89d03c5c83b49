"""Records in one file, and how they get from a disk into it and back: `export`, `import`, recorded tests."""
