//! Begin of a driver's work: a new run begins, an old one resumes.

use super::attempt::TaskProgram;
use super::{Driver, DriverError, InitialMolecules};
use crate::store::Commit;
use crate::task::{Fact, Token};

/// Retries of a free atom, on which everything depends: if four attempts in ten fail, as with xtb
/// 6.5.1, one run in 90 million ends because of it.
const ATOM_RETRIES: u32 = 19;

impl<P: TaskProgram> Driver<P> {
    /// Begins a new run with its molecules, or resumes one; does nothing for a run that has ended
    /// and is not reopened.
    ///
    /// # Errors
    ///
    /// Fails if the database fails.
    pub async fn begin(&mut self, molecules: InitialMolecules) -> Result<(), DriverError> {
        if self.engine.is_fresh() {
            return self.begin_fresh(molecules).await;
        }
        self.end_obsolete_attempts();
        match self.is_ended() {
            true => Ok(()),
            false => self.resume().await,
        }
    }

    async fn begin_fresh(&mut self, molecules: InitialMolecules) -> Result<(), DriverError> {
        let InitialMolecules {
            stages,
            reserve,
            pool,
            inherited,
        } = molecules;
        let keep =
            |molecules: Vec<String>| self.files.keep((molecules.join("\n") + "\n").as_bytes());
        let pool = pool.map(keep).transpose();
        let pool = pool.map_err(|source| DriverError::Files {
            path: self.context.run_dir.clone(),
            source,
        })?;
        let began = Fact::Began {
            molecules: stages,
            reserve,
            pool,
            atom_retries: ATOM_RETRIES,
        };
        let facts = inherited.into_iter().chain([began]);
        self.take(facts.collect(), Commit::default()).await
    }

    async fn resume(&mut self) -> Result<(), DriverError> {
        let started = self.store.running_since().await?;
        let (cached, mut commit) = self.adopt_or_start(&started).await;
        let changed = self.changed.take().map(|changed| {
            commit.settings = Some(changed.settings);
            changed.fact
        });
        let lacks_atoms = self.engine.lacks_free_atoms();
        let again = lacks_atoms.then_some(Fact::ReferencesAgain);
        let facts = [Fact::Resumed].into_iter().chain(changed);
        let facts = facts.chain(again).chain(cached);
        self.take(facts.collect(), commit).await
    }

    /// Terminates attempts that an engine journalled as ended or cancelled before it was killed,
    /// and deletes their temporary files.
    fn end_obsolete_attempts(&mut self) {
        let keep: Vec<Token> = self
            .engine
            .outstanding()
            .into_iter()
            .map(|(task, attempt)| self.token(task, attempt))
            .collect();
        for executor in self.context.executors.values_mut() {
            executor.end_others(&self.context.run, &keep);
        }
        self.context.scratch.sweep(&self.context.run, &keep);
    }
}
