//! Durations of tasks for `plan` and `simulate`: given, recorded in a run, or typical.

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;

use super::wait;
use crate::app::error::CommandError;
use crate::app::recorded_times::{self, RecordedTime};
use crate::forecast::Times;
use crate::plan::Plan;

/// Time of a `generate` task, and of a `train` or `screen` task, unless others are given or recorded.
const ML_TIME: Times = Times::of_seconds(300);
const FIT_TIME: Times = Times::of_seconds(10);

#[derive(Args)]
pub(super) struct TimeArguments {
    /// Time of a simulation: `10m`, or `lognormal:MEDIAN,SIGMA`; typical of each engine if not given
    #[arg(long, value_name = "TIME")]
    task_time: Option<Times>,
    /// Time of a `generate` task; 5m if not given
    #[arg(long, value_name = "TIME")]
    ml_time: Option<Times>,
    /// Time of a `train` and of a `screen` task; 10s if not given
    #[arg(long, value_name = "TIME")]
    fit_time: Option<Times>,
    /// Run whose tasks tell how long those of the same methods take
    #[arg(long, value_name = "RUN_DIR", value_parser = super::path())]
    times_from: Option<PathBuf>,
}

/// Durations of tasks as far as they are not typical.
pub(super) struct TaskTimes {
    pub task_time: Option<Times>,
    pub ml_time: Times,
    pub fit_time: Times,
    /// By method.
    pub recorded: BTreeMap<String, Times>,
}

impl TimeArguments {
    /// Returns the durations of the tasks of a plan.
    pub fn times(&self, plan: &Plan) -> Result<TaskTimes, CommandError> {
        let recorded = match &self.times_from {
            Some(dir) => wait(recorded_times::read(dir, plan))?,
            None => BTreeMap::new(),
        };
        let is_given = |method: &str| match plan.methods[method].kind_name {
            "simulate" => self.task_time.is_some(),
            "generate" => self.ml_time.is_some(),
            _ => self.fit_time.is_some(),
        };
        let recorded = recorded.into_iter().filter(|(method, _)| !is_given(method));
        let times = |RecordedTime { median, sigma }| Times::lognormal(median, sigma);
        Ok(TaskTimes {
            task_time: self.task_time,
            ml_time: self.ml_time.unwrap_or(ML_TIME),
            fit_time: self.fit_time.unwrap_or(FIT_TIME),
            recorded: recorded.map(|(m, time)| (m, times(time))).collect(),
        })
    }

    /// The durations in words.
    pub fn in_words(&self, times: &TaskTimes) -> String {
        let simulations = times.task_time.map_or_else(
            || "typical of each engine".to_owned(),
            |time| time.to_string(),
        );
        let recorded: Vec<String> = times
            .recorded
            .iter()
            .map(|(method, time)| format!(", {method} {time} as recorded"))
            .collect();
        format!(
            "simulations {simulations}, generate {}, train and screen {} each{}",
            times.ml_time,
            times.fit_time,
            recorded.concat()
        )
    }
}
