//! Whether a database is as it was written, and one made anew from its journal.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::derived::apply;
use super::seal::{self, Seal};
use super::settings::{self, Settings};
use super::write::{append_to_journal, insert_result};
use super::{FILE, MIGRATIONS, NOTE, Simulation, Store, StoreError, options};
use crate::host::hash::hex;
use crate::task::{Event, Record, TaskId};

/// Facts that are taken in at a time.
const CHUNK: usize = 1000;

/// Tables that follow from the journal, with the columns that do not: a start is no fact, only its
/// attempt's end is.
const DERIVED: [(&str, &[&str]); 5] = [
    ("tasks", &["state", "started"]),
    ("failures", &[]),
    ("atoms", &[]),
    ("candidates", &[]),
    ("batches", &[]),
];

/// What came of a repair.
#[derive(Debug)]
pub struct Repaired {
    pub facts: i64,
    /// Facts that are known to be lost; there may have been more where nobody noted them.
    pub lost: i64,
    pub results_lost: usize,
    /// Where the damaged files are kept.
    pub kept: PathBuf,
}

/// The journal as it is read: each fact has to follow from the one before.
pub(super) struct Chain {
    path: PathBuf,
    seq: i64,
    seal: Seal,
}

impl Chain {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            seq: 0,
            seal: seal::BEGINNING,
        }
    }

    /// The fact of a row of `seq, event, checksum`.
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

impl Store {
    /// Refuses a file whose structure is damaged.
    pub(super) async fn check_structure(&mut self) -> Result<(), StoreError> {
        let said = sqlx::query_scalar("PRAGMA integrity_check(1)")
            .fetch_all(&mut self.db)
            .await;
        match self.reading::<Vec<String>>(said)?.first() {
            Some(said) if said != "ok" => Err(self.damaged(said.replace('\n', " "))),
            _ => Ok(()),
        }
    }

    /// Refuses a journal that ends before the last fact that was noted.
    pub(super) async fn check_end(
        &mut self,
        noted: io::Result<Option<(i64, String)>>,
    ) -> Result<(), StoreError> {
        let noted = noted.map_err(|e| StoreError::Read {
            path: self.path.with_file_name(NOTE),
            source: sqlx::Error::Io(e),
        });
        let Some((seq, seal)) = noted? else {
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

    /// Gives the facts of a database of an earlier version their checksums; that of the last fact.
    pub(super) async fn seal_facts(&mut self) -> Result<Seal, StoreError> {
        let sealed = seal_facts(&mut self.db).await;
        self.writing(sealed)
    }

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

/// Everything in which the database of `dir` is not what its journal gives, and the number of
/// facts. `records` are those of a fact. Its structure and its end were checked when it was opened.
pub async fn audit(
    dir: &Path,
    records: impl FnMut(i64, &Event) -> Vec<Record>,
) -> Result<(i64, Vec<String>), StoreError> {
    let path = dir.join(FILE);
    // By its name: a connection that is opened as one in memory attaches files as such, too.
    let memory = SqliteConnectOptions::new().filename(":memory:");
    let mut anew = Anew::beside(&path, memory).await?;
    let (facts, damage) = anew.replay(records).await?;
    if let Some(damage) = damage {
        return Err(damage);
    }
    let mut faults = anew.differences().await?;
    let lost = anew.copy_results().await?;
    if lost > 0 {
        faults.push(format!(
            "{lost} rows of the table `results` are not as they were written"
        ));
    }
    Ok((facts, faults))
}

/// Makes the database of `dir` anew from its journal, as far as that can be read, with the settings
/// that it was found to have; the damaged files are kept.
pub async fn repair(
    dir: &Path,
    settings: &[Settings],
    records: impl FnMut(i64, &Event) -> Vec<Record>,
) -> Result<Repaired, StoreError> {
    let path = dir.join(FILE);
    let files = |source| StoreError::Open {
        path: path.clone(),
        source: sqlx::Error::Io(source),
    };
    let noted = seal::read(dir).ok().flatten();
    let kept = keep(dir).map_err(files)?;
    mend_file(&path).map_err(files)?;
    let new = dir.join(format!("{FILE}.new"));
    remove_database(&new).map_err(files)?;
    let mut anew = Anew::beside(&path, options(&new).create_if_missing(true)).await?;
    anew.copy_run(settings).await?;
    let (facts, _) = anew.replay(records).await?;
    let results_lost = anew.copy_results().await?;
    let seal = anew.chain.seal;
    anew.db.close().await.map_err(|source| StoreError::Write {
        path: new.clone(),
        source,
    })?;
    remove_database(&path).map_err(files)?;
    fs::rename(&new, &path).map_err(files)?;
    fs::remove_file(dir.join(NOTE))
        .or_else(ignore_missing)
        .map_err(files)?;
    if facts > 0 {
        let note = seal::Note::open(dir).and_then(|note| note.write(facts, &seal));
        note.map_err(files)?;
    }
    fs::File::open(dir)
        .and_then(|dir| dir.sync_all())
        .map_err(files)?;
    Ok(Repaired {
        facts,
        lost: noted.map_or(0, |(seq, _)| (seq - facts).max(0)),
        results_lost,
        kept,
    })
}

/// A database that is being made, with the one that is there attached as `disk`.
struct Anew {
    db: SqliteConnection,
    chain: Chain,
}

impl Anew {
    async fn beside(path: &Path, options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let open = |source| StoreError::Open {
            path: path.to_owned(),
            source,
        };
        let mut db = options.connect().await.map_err(open)?;
        super::migrate(&mut db, path).await?;
        // A table whose definition is damaged, of which only those of the truth are needed, must
        // not keep the others away.
        let tolerant = sqlx::query("PRAGMA writable_schema = ON")
            .execute(&mut db)
            .await;
        tolerant.map_err(open)?;
        let text = path.to_string_lossy().into_owned();
        let attached = sqlx::query("ATTACH DATABASE ? AS disk")
            .bind(text)
            .execute(&mut db)
            .await;
        attached.map_err(open)?;
        let chain = Chain::new(path);
        Ok(Self { db, chain })
    }

    fn reading<T>(&self, answer: Result<T, sqlx::Error>) -> Result<T, StoreError> {
        answer.map_err(|source| StoreError::Read {
            path: self.chain.path.clone(),
            source,
        })
    }

    /// Takes in the journal up to where it is damaged: the number of facts, and the damage.
    async fn replay(
        &mut self,
        mut records: impl FnMut(i64, &Event) -> Vec<Record>,
    ) -> Result<(i64, Option<StoreError>), StoreError> {
        loop {
            let before = self.chain.seq;
            let mut facts = Vec::new();
            let mut damage = None;
            let mut seal = self.chain.seal;
            {
                let mut rows = sqlx::query(
                    "SELECT seq, event, checksum FROM disk.journal WHERE seq > ? ORDER BY seq LIMIT ?",
                )
                .bind(before)
                .bind(CHUNK as i64)
                .fetch(&mut self.db);
                while damage.is_none() {
                    match rows.try_next().await {
                        Ok(None) => break,
                        Ok(Some(row)) => match self.chain.follow(&row) {
                            Ok((seq, event)) => {
                                let text: String = row.get(1);
                                facts.push((text, records(seq, &event), event.at));
                            }
                            Err(error) => damage = Some(error),
                        },
                        Err(source) => {
                            let path = self.chain.path.clone();
                            damage = Some(StoreError::Read { path, source });
                        }
                    }
                }
            }
            let is_last = facts.len() < CHUNK;
            let taken_in = take_in(&mut self.db, facts, &mut seal).await;
            self.reading(taken_in)?;
            if is_last {
                return Ok((self.chain.seq, damage));
            }
        }
    }

    /// What cannot be derived besides results.
    async fn copy_run(&mut self, settings: &[Settings]) -> Result<(), StoreError> {
        let columns = "INSERT INTO main.run (only, name, campaign, created, version, home) \
                       SELECT only, name, campaign, created, version, home FROM disk.run";
        let older = "INSERT INTO main.run (only, name, campaign, created, version) \
                     SELECT only, name, campaign, created, version FROM disk.run";
        let copied = match sqlx::query(columns).execute(&mut self.db).await {
            Err(_) => sqlx::query(older).execute(&mut self.db).await,
            copied => copied,
        };
        self.reading(copied)?;
        // A database of an earlier version has none, and names are not worth a failed repair.
        let _ = sqlx::query("INSERT INTO main.names SELECT entry, smiles, name FROM disk.names")
            .execute(&mut self.db)
            .await;
        // Of an earlier version, or damaged: then those in the run directory are accepted as they
        // are.
        for settings in settings {
            let copied = settings::insert(&mut self.db, settings).await;
            self.reading(copied)?;
        }
        Ok(())
    }

    /// Copies the results of tasks that are there; how many are damaged.
    async fn copy_results(&mut self) -> Result<usize, StoreError> {
        let tasks: Vec<i64> = {
            let tasks =
                sqlx::query_scalar("SELECT task FROM main.tasks WHERE state = 'succeeded' ")
                    .fetch_all(&mut self.db)
                    .await;
            self.reading(tasks)?
        };
        let mut lost = 0;
        for task in tasks {
            let row = sqlx::query("SELECT * FROM disk.results WHERE task = ?")
                .bind(task)
                .fetch_optional(&mut self.db)
                .await;
            let found = match row {
                Ok(None) => continue,
                Ok(Some(row)) => result(task, &row),
                Err(_) => None,
            };
            let simulation = found.unwrap_or_else(|| {
                lost += 1;
                Simulation::lost(task)
            });
            let copied = insert_result(&mut self.db, &simulation).await;
            self.reading(copied)?;
        }
        Ok(lost)
    }

    /// In which derived tables `disk` has other rows.
    async fn differences(&mut self) -> Result<Vec<String>, StoreError> {
        let mut faults = Vec::new();
        for (table, not_derived) in DERIVED {
            let columns = sqlx::query_scalar("SELECT name FROM pragma_table_info(?)")
                .bind(table)
                .fetch_all(&mut self.db)
                .await;
            let mut columns: Vec<String> = self.reading(columns)?;
            columns.retain(|column| !not_derived.contains(&column.as_str()));
            let columns = columns.join(", ");
            for (one, other) in [("main", "disk"), ("disk", "main")] {
                let sql = format!(
                    "SELECT count(*) FROM (SELECT {columns} FROM {one}.{table} EXCEPT SELECT {columns} FROM {other}.{table})"
                );
                let rows = sqlx::query_scalar(AssertSqlSafe(sql))
                    .fetch_one(&mut self.db)
                    .await;
                let rows: i64 = self.reading(rows)?;
                if rows > 0 {
                    faults.push(format!(
                        "{rows} rows of the table `{table}` are not what the journal gives"
                    ));
                    break;
                }
            }
        }
        Ok(faults)
    }
}

async fn take_in(
    db: &mut SqliteConnection,
    facts: Vec<(String, Vec<Record>, i64)>,
    seal: &mut Seal,
) -> Result<(), sqlx::Error> {
    let mut tx = db.begin().await?;
    for (text, records, at) in facts {
        append_to_journal(&mut tx, &text, seal).await?;
        for record in &records {
            apply(&mut tx, record, at).await?;
        }
    }
    tx.commit().await
}

/// A result that is as it was written, as far as anybody can tell.
fn result(task: i64, row: &SqliteRow) -> Option<Simulation> {
    let simulation = Simulation {
        task: TaskId(task.cast_unsigned()),
        engine: row.try_get("engine").ok()?,
        version: row.try_get("version").ok()?,
        // `level` before migration 6.
        level_of_theory: row
            .try_get("level_of_theory")
            .or_else(|_| row.try_get("level"))
            .ok()?,
        xyz: row.try_get("xyz").ok()?,
    };
    let checksum: Option<Vec<u8>> = row.try_get("checksum").ok()?;
    checksum
        .is_none_or(|checksum| checksum == simulation.seal())
        .then_some(simulation)
}

/// Copies the files of the database into a directory of their own.
fn keep(dir: &Path) -> io::Result<PathBuf> {
    let names = (1..).map(|n| dir.join(format!("damaged-{n}")));
    let mut kept = PathBuf::new();
    for name in names {
        match fs::create_dir(&name) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
            made => {
                made?;
                kept = name;
                break;
            }
        }
    }
    for name in [FILE.to_owned(), format!("{FILE}-wal"), NOTE.to_owned()] {
        fs::copy(dir.join(&name), kept.join(&name))
            .map(drop)
            .or_else(ignore_missing)?;
    }
    Ok(kept)
}

/// Bytes of a page, as the header says.
const PAGE: u64 = 4096;

/// The beginning of every database of ours: the magic words, 4096 bytes a page, write-ahead log.
/// <https://www.sqlite.org/fileformat.html>, section 1.3.
const HEADER: &[u8; 24] = b"SQLite format 3\0\x10\x00\x02\x02\x00\x40\x20\x20";

/// Writes the first bytes again and fills up a file that is too short: else SQLite does not look at
/// what there is.
fn mend_file(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::FileExt;
    let file = fs::OpenOptions::new().read(true).write(true).open(path)?;
    let mut found = [0; 32];
    if file.read_exact_at(&mut found, 0).is_err() {
        return Ok(());
    }
    if found[..HEADER.len()] != HEADER[..] {
        file.write_all_at(HEADER, 0)?;
    }
    let pages = u32::from_be_bytes([found[28], found[29], found[30], found[31]]);
    let (length, full) = (file.metadata()?.len(), u64::from(pages) * PAGE);
    // A number of pages that is damaged itself is ignored.
    if length < full && full < 100 * length.max(PAGE) {
        file.set_len(full)?;
    }
    Ok(())
}

fn remove_database(path: &Path) -> io::Result<()> {
    // The logs first: one that is left would be taken for that of the new database.
    for end in ["-wal", "-shm", ""] {
        let mut name = path.as_os_str().to_owned();
        name.push(end);
        fs::remove_file(name).or_else(ignore_missing)?;
    }
    Ok(())
}

fn ignore_missing(e: io::Error) -> io::Result<()> {
    if e.kind() == io::ErrorKind::NotFound {
        Ok(())
    } else {
        Err(e)
    }
}
