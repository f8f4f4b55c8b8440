//! Settings of a run, in all their versions, and the directory that it belongs to.

use sqlx::sqlite::SqliteConnection;

use super::seal::{self, Seal};
use super::{Store, StoreError};

/// Text of both settings files of a run directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredSettings {
    /// Text of `campaign.yml`.
    pub campaign: String,
    /// Text of `site.yml`.
    pub site: String,
}

impl StoredSettings {
    fn seal(&self) -> Seal {
        seal::digest(&[self.campaign.as_bytes(), self.site.as_bytes()])
    }
}

pub(super) async fn insert(
    db: &mut SqliteConnection,
    settings: &StoredSettings,
) -> Result<(), sqlx::Error> {
    sqlx::query("INSERT INTO settings (campaign, site, checksum) VALUES (?, ?, ?)")
        .bind(&settings.campaign)
        .bind(&settings.site)
        .bind(settings.seal().to_vec())
        .execute(db)
        .await
        .map(drop)
}

impl Store {
    /// Returns every version of the settings, the oldest first.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read or a version does not match its checksum.
    pub async fn settings(&mut self) -> Result<Vec<StoredSettings>, StoreError> {
        let rows = sqlx::query_as("SELECT campaign, site, checksum FROM settings ORDER BY version")
            .fetch_all(&mut self.db)
            .await;
        let rows: Vec<(String, String, Vec<u8>)> = self.reading(rows)?;
        let whole = rows.into_iter().map(|(campaign, site, checksum)| {
            let settings = StoredSettings { campaign, site };
            (settings.seal() == *checksum).then_some(settings)
        });
        let whole: Option<Vec<StoredSettings>> = whole.collect();
        whole.ok_or_else(|| {
            self.damaged("the settings that the run was begun with are not as they were written")
        })
    }

    /// Stores one more version of the settings.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be written.
    pub async fn keep_settings(&mut self, settings: &StoredSettings) -> Result<(), StoreError> {
        let kept = insert(&mut self.db, settings).await;
        self.writing(kept)
    }

    /// Records `home` as the directory of the run. Returns true if the run was recorded in another
    /// directory, and so is a copy: it gets the name `other`, such that its tokens differ from
    /// those of the original.
    ///
    /// # Errors
    ///
    /// Fails if the database cannot be read or written.
    pub async fn settle(&mut self, home: &str, other: &str) -> Result<bool, StoreError> {
        let found = sqlx::query_scalar("SELECT home FROM run")
            .fetch_one(&mut self.db)
            .await;
        let found: Option<String> = self.reading(found)?;
        let is_copy = found.as_deref().is_some_and(|found| found != home);
        if found.as_deref() != Some(home) {
            let update =
                sqlx::query("UPDATE run SET home = ?1, name = CASE WHEN ?2 THEN ?3 ELSE name END")
                    .bind(home)
                    .bind(is_copy)
                    .bind(other)
                    .execute(&mut self.db)
                    .await;
            self.writing(update.map(drop))?;
        }
        Ok(is_copy)
    }
}
