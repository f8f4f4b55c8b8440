-- So that no fact and no setting of a run can be lost or changed without notice.

-- The first 16 bytes of the SHA-256 of the checksum before and the fact: it covers the whole journal up to here.
ALTER TABLE journal ADD COLUMN checksum BLOB;

-- The same of a result alone, which no fact repeats; null in those of earlier versions.
ALTER TABLE results ADD COLUMN checksum BLOB;

-- Which directory the run is at home in: a copy of it gets a name, and so tokens, of its own.
ALTER TABLE run ADD COLUMN home TEXT;

-- `campaign.yml` and `site.yml` as the run was begun with, and as changes were accepted later.
CREATE TABLE settings (
    version   INTEGER PRIMARY KEY,
    campaign  TEXT NOT NULL,
    site      TEXT NOT NULL,
    checksum  BLOB NOT NULL
) STRICT;
