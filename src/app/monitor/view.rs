//! A run at one moment, and what follows from the last look at it.

use std::path::{Path, PathBuf};

use super::slot_timeline::SlotTimeline;
use crate::config::campaign::Topic;
use crate::config::site::Site;
use crate::plan::{MoleculeSource, Plan, StageKind};
use crate::report::RunState;
use crate::store::{
    CandidateRow, EndedEvaluation, FailureRow, QueuedCandidate, RunningTask, Summary,
};

/// A run at one moment.
pub struct RunView {
    /// Run directory.
    pub dir: PathBuf,
    /// State of the run.
    pub state: RunState,
    /// Counts, best molecule, Pareto front.
    pub summary: Summary,
    /// Evaluations after which the run ends at the latest; None if they are not known before.
    pub asked_for: Option<usize>,
    /// Evaluations of the objectives, in the order in which they ended.
    pub evaluations: Vec<EndedEvaluation>,
    /// Slots of each partition by the kind of their work.
    pub lanes: Vec<SlotLane>,
    /// Tasks that run now.
    pub running: Vec<RunningTask>,
    /// First candidates of the queue.
    pub queue: Vec<QueuedCandidate>,
    /// Last failed attempts, the last first.
    pub failures: Vec<FailureRow>,
    /// Best molecules, the best first; the Pareto front of several objectives.
    pub best: Vec<CandidateRow>,
    /// Core-hours of all attempts that have ended.
    pub core_hours: f64,
    /// Core-hours after which the run ends; None without a limit.
    pub core_hour_limit: Option<f64>,
    /// Present time while the run is at work, else that of its last event; milliseconds since the Unix
    /// epoch.
    pub at: i64,
    /// Time of the last event, milliseconds since the Unix epoch.
    pub(super) last_event: i64,
}

/// Slots of a partition that do work of one kind.
#[derive(Clone, Debug)]
pub struct SlotLane {
    /// Name of the partition.
    pub partition: String,
    /// `simulator` for calculations, `ml` for learning.
    pub topic: Topic,
    /// Starts of the tasks that run now, milliseconds since the Unix epoch.
    begun: Vec<i64>,
    /// Slots of the partition; None if only an allocation determines them.
    pub slots: Option<usize>,
    /// Busy time of the tasks that have ended.
    timeline: SlotTimeline,
}

impl RunView {
    /// Returns the view of a run of which only the summary is known.
    pub(crate) fn empty(dir: &Path, summary: Summary, plan: &Plan, site: &Site) -> Self {
        let created = summary.run.created;
        Self {
            dir: dir.to_owned(),
            state: RunState::of(&summary, false),
            summary,
            asked_for: asked_for(plan),
            evaluations: Vec::new(),
            lanes: lanes(plan, site, created),
            running: Vec::new(),
            queue: Vec::new(),
            failures: Vec::new(),
            best: Vec::new(),
            core_hours: 0.0,
            core_hour_limit: core_hour_limit(plan),
            at: created,
            last_event: created,
        }
    }

    /// Forgets evaluations and tasks that have ended, to be read again.
    pub(super) fn forget_ended(&mut self, plan: &Plan, site: &Site) {
        self.evaluations.clear();
        self.lanes = lanes(plan, site, self.summary.run.created);
    }

    /// Sets the state and the time. `is_at_work`: an engine works on the run.
    pub(super) fn settle_state(&mut self, is_at_work: bool) {
        self.state = RunState::of(&self.summary, is_at_work);
        self.at = match self.state {
            RunState::Running => jiff::Timestamp::now().as_millisecond(),
            RunState::Interrupted | RunState::Finished => self.last_event,
        };
    }

    /// Adds the time of a task of a method that has ended, milliseconds since the Unix epoch.
    pub(crate) fn add_ended(&mut self, plan: &Plan, method: Option<&str>, from: i64, to: i64) {
        if let Some(lane) = self.lane_mut(plan, method) {
            lane.timeline.add(from, to);
        }
    }

    /// Returns the lane of a method.
    fn lane_mut(&mut self, plan: &Plan, method: Option<&str>) -> Option<&mut SlotLane> {
        let method = plan.methods.get(method?)?;
        let topic = method.kind.topic();
        let mut lanes = self.lanes.iter_mut();
        lanes.find(|lane| lane.partition == method.partition_name && lane.topic == topic)
    }

    /// Sets the numbers of busy slots and the beginnings of their tasks.
    pub(crate) fn set_running(&mut self, plan: &Plan, running: Vec<RunningTask>) {
        self.lanes.iter_mut().for_each(|lane| lane.begun.clear());
        for task in &running {
            let started = task.started.unwrap_or(self.last_event);
            if let Some(lane) = self.lane_mut(plan, task.method.as_deref()) {
                lane.begun.push(started);
            }
        }
        self.running = running;
    }
}

impl SlotLane {
    /// Returns the number of slots that are busy in a run of this state.
    pub fn busy(&self, state: RunState) -> usize {
        match state {
            RunState::Running => self.begun.len(),
            RunState::Interrupted | RunState::Finished => 0,
        }
    }

    /// Returns the mean number of busy slots in each of `count` equal parts of the time until `view`.
    pub fn history(&self, view: &RunView, count: usize) -> Vec<f64> {
        let mut timeline = self.timeline.clone();
        if view.state == RunState::Running {
            let begun = self.begun.iter();
            begun.for_each(|started| timeline.add(*started, view.at));
        }
        timeline.mean_busy(view.at, count)
    }
}

/// Returns a lane for each partition and kind of work that methods of the plan have.
fn lanes(plan: &Plan, site: &Site, begin: i64) -> Vec<SlotLane> {
    let mut lanes: Vec<SlotLane> = Vec::new();
    for topic in [Topic::Simulator, Topic::Ml] {
        for (name, partition) in &site.partitions {
            let mut methods = plan.methods.values();
            if methods.any(|m| m.partition_name == *name && m.kind.topic() == topic) {
                lanes.push(SlotLane {
                    partition: name.clone(),
                    topic,
                    begun: Vec::new(),
                    slots: partition.slot_count(&site.node),
                    timeline: SlotTimeline::new(begin),
                });
            }
        }
    }
    lanes
}

/// Returns the number of evaluations after which a search ends at the latest; None if it is not
/// known before, or in a campaign without loops.
fn asked_for(plan: &Plan) -> Option<usize> {
    let in_loops = plan.stop.evaluations.filter(|_| plan.has_loops())?;
    let once = plan.stages.iter().filter(|stage| stage.in_loop.is_none());
    let counts = once.map(|stage| match &stage.kind {
        StageKind::Compute { molecules, .. } => match molecules {
            MoleculeSource::Random(count) => Some(*count),
            _ => None,
        },
        _ => Some(0),
    });
    Some(counts.sum::<Option<usize>>()? + in_loops)
}

/// Returns the core-hours after which a run ends; None without a limit.
fn core_hour_limit(plan: &Plan) -> Option<f64> {
    let nodes = plan.stop.node_hours;
    let nodes = nodes.map(|hours| hours * plan.node_cores as f64);
    let limits = plan.stop.core_hours.into_iter().chain(nodes);
    limits.min_by(f64::total_cmp)
}
