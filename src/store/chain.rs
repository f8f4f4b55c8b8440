//! The chain of checksums of a journal, and the checks of a database when it is opened.

use std::io;
use std::path::{Path, PathBuf};

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{ConnectOptions, Connection, Row};
use tokio::sync::mpsc::{Receiver, Sender};

use super::seal::{self, NotedFact, Seal};
use super::{FILE, MIGRATIONS, NOTE, Store, StoreError, options};
use crate::host::hash::hex;
use crate::task::Event;

/// Facts with their numbers.
pub(super) type ReadFacts = Result<Vec<(i64, Event)>, StoreError>;

/// Position in a journal that is being read: each fact has to follow from the one before.
pub(super) struct Chain {
    /// Database file, for error messages.
    pub(super) path: PathBuf,
    /// Number of the last fact read, 0 before the first.
    pub(super) seq: i64,
    /// Checksum of the facts read.
    pub(super) seal: Seal,
}

impl Chain {
    /// Returns the position before the first fact.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            seq: 0,
            seal: seal::BEGINNING,
        }
    }

    /// Reads the facts of all rows, up to the first that is damaged.
    pub fn follow_all(mut self, mut rows: Receiver<Vec<SqliteRow>>, facts: Sender<ReadFacts>) {
        while let Some(rows) = rows.blocking_recv() {
            let read: ReadFacts = rows.iter().map(|row| self.follow(row)).collect();
            let is_damaged = read.is_err();
            if facts.blocking_send(read).is_err() || is_damaged {
                return;
            }
        }
    }

    /// Reads the next fact from a row of `seq, event, checksum`.
    pub fn follow(&mut self, row: &SqliteRow) -> Result<(i64, Event), StoreError> {
        let damaged = |what: String| StoreError::Damaged {
            path: self.path.clone(),
            what,
        };
        let (seq, expected): (i64, i64) = (row.get_unchecked(0), self.seq + 1);
        if seq != expected {
            return Err(damaged(format!("fact {expected} is missing")));
        }
        let event: Option<&str> = row.try_get(1).ok();
        let seal = event.map(|event| seal::next(&self.seal, event));
        let (Some(event), Some(seal)) = (event, seal) else {
            return Err(damaged(format!("fact {seq} is no text")));
        };
        if row.try_get::<&[u8], _>(2).ok() != Some(&seal[..]) {
            return Err(damaged(format!("fact {seq} is not as it was written")));
        }
        let event = serde_json::from_str(event).map_err(|source| StoreError::Journal {
            path: self.path.clone(),
            seq,
            source,
        })?;
        (self.seq, self.seal) = (seq, seal);
        Ok((seq, event))
    }
}

/// Refuses a file whose structure is damaged.
pub(super) async fn check_structure(path: PathBuf) -> Result<(), StoreError> {
    let said = async {
        let mut db = options(&path).read_only(true).connect().await?;
        let said = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_all(&mut db);
        let said: Vec<String> = said.await?;
        db.close().await?;
        Ok(said)
    };
    match said.await {
        Err(source) => Err(StoreError::Read { path, source }),
        Ok(said) => match said.first() {
            Some(said) if said != "ok" => Err(StoreError::Damaged {
                path,
                what: said.replace('\n', " "),
            }),
            _ => Ok(()),
        },
    }
}

impl Store {
    /// Waits for the check of the structure, and returns what it found.
    pub(super) async fn end_check(&mut self) -> Result<(), StoreError> {
        let Some(structure) = self.structure.take() else {
            return Ok(());
        };
        let found = structure.await;
        found.unwrap_or_else(|error| self.reading(Err(sqlx::Error::Io(error.into()))))
    }

    /// Refuses a journal that ends before the last fact that was noted.
    pub(super) async fn check_end(
        &mut self,
        noted: io::Result<Option<NotedFact>>,
    ) -> Result<(), StoreError> {
        let noted = noted.map_err(|e| StoreError::Read {
            path: self.path.with_file_name(NOTE),
            source: sqlx::Error::Io(e),
        });
        let Some(NotedFact { seq, seal }) = noted? else {
            return Ok(());
        };
        let found = sqlx::query_scalar("SELECT checksum FROM journal WHERE seq = ?")
            .bind(seq)
            .fetch_optional(&mut self.db)
            .await;
        let found: Option<Vec<u8>> = self.reading(found)?;
        match found.map(|found| hex(&found)) {
            None => Err(self.damaged(format!(
                "its journal ends before fact {seq}, which was written: its log `{FILE}-wal` is damaged, or was left behind"
            ))),
            Some(found) if found != seal => Err(self.damaged(format!(
                "fact {seq} is not the one that `{NOTE}` tells of"
            ))),
            Some(_) => Ok(()),
        }
    }

    /// Adds the checksums that a database of an earlier version lacks; returns that of the last
    /// fact.
    pub(super) async fn seal_facts(&mut self) -> Result<Seal, StoreError> {
        let sealed = seal_facts(&mut self.db).await;
        self.writing(sealed)
    }

    /// Refuses a database whose schema is older or newer than that of this program.
    pub(super) async fn refuse_other_versions(&mut self) -> Result<(), StoreError> {
        let there = sqlx::query_scalar("SELECT version FROM _sqlx_migrations")
            .fetch_all(&mut self.db)
            .await;
        let there: Vec<i64> = self.reading(there)?;
        let ours: Vec<i64> = MIGRATIONS.iter().map(|m| m.version).collect();
        let path = || self.path.clone();
        if there.iter().any(|version| !ours.contains(version)) {
            return Err(StoreError::Newer { path: path() });
        }
        if ours.iter().any(|version| !there.contains(version)) {
            return Err(StoreError::Older { path: path() });
        }
        Ok(())
    }
}

async fn seal_facts(db: &mut SqliteConnection) -> Result<Seal, sqlx::Error> {
    let mut tx = db.begin().await?;
    let first: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT checksum FROM journal ORDER BY seq LIMIT 1")
            .fetch_optional(&mut *tx)
            .await?;
    if let Some(None) = first {
        let facts: Vec<(i64, String)> =
            sqlx::query_as("SELECT seq, event FROM journal ORDER BY seq")
                .fetch_all(&mut *tx)
                .await?;
        let mut seal = seal::BEGINNING;
        for (seq, event) in facts {
            seal = seal::next(&seal, &event);
            sqlx::query("UPDATE journal SET checksum = ? WHERE seq = ?")
                .bind(&seal[..])
                .bind(seq)
                .execute(&mut *tx)
                .await?;
        }
    }
    let last: Option<Option<Vec<u8>>> =
        sqlx::query_scalar("SELECT checksum FROM journal ORDER BY seq DESC LIMIT 1")
            .fetch_optional(&mut *tx)
            .await?;
    tx.commit().await?;
    // One of another length is found to be wrong when the journal is read.
    Ok(last
        .flatten()
        .and_then(|last| last.try_into().ok())
        .unwrap_or(seal::BEGINNING))
}
