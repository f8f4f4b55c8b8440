-- So that molecules are shown by the names that the user's file gives them.

-- Names of the source's molecules; several entries may be of one molecule. Not derived from the journal.
CREATE TABLE names (
    entry   INTEGER PRIMARY KEY, -- order in the source
    smiles  TEXT NOT NULL, -- identity of the molecule
    name    TEXT NOT NULL,
    UNIQUE (smiles, name)
) STRICT;
CREATE INDEX names_name ON names (name COLLATE NOCASE);
