//! `moldflow submit` on PBS, Cobalt and Flux, of which no server is available here: programs on
//! PATH replace their commands, and the submitted script is run by hand.

use crate::support;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::recording_scheduler::RecordingScheduler;
use moldflow::task::{Fact, FailureKind, Outcome};

#[test]
fn a_campaign_is_submitted_to_pbs_and_its_continuation_is_cancelled_at_its_end() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    let output = system.submit(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(output.out.contains("job 12.server: 1 nodes for 1h 30m"));
    insta::assert_snapshot!("script_pbs", system.script());
    assert_eq!(
        system.status(),
        "quickstart: submitted, job 12.server has not started\n"
    );

    // One line per rank.
    let job = system.begin_pbs_job("12.server", "x1\nx1\n");
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    assert_eq!(
        system.asked(),
        "qsub -N moldflow-run.1 RUN_DIR/job.sh\n\
         qsub -N moldflow-run.2 -W depend=afterany:12.server RUN_DIR/job.sh\n\
         qdel 12.server\n"
    );
    assert!(system.status().contains("quickstart: finished"));
}

#[test]
fn a_campaign_is_submitted_to_cobalt_and_its_continuation_is_cancelled_at_its_end() {
    let system = RecordingScheduler::new("cobalt", "Job routed to queue debug.\\n\\n266001\\n");
    let output = system.submit(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    insta::assert_snapshot!("script_cobalt", system.script());
    let job = system.begin_job(&[("COBALT_JOBID", "266001"), ("COBALT_PARTNAME", "17")]);
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    assert_eq!(
        system.asked(),
        "qsub --jobname moldflow-run.1 RUN_DIR/job.sh\n\
         qsub --jobname moldflow-run.2 --dependencies 266001 RUN_DIR/job.sh\n\
         qdel 266001\n"
    );
}

#[test]
fn a_job_that_waits_already_is_not_submitted_again_and_one_that_is_gone_is() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    system.submit(&[]).with_code(0);
    let run = system.run_dir().display().to_string();
    let submit = || system.moldflow(&["submit", &run, "--walltime", "2h"]);
    let changed = system.moldflow(&["submit", &run, "--seed", "3"]);
    assert!(
        changed
            .err
            .contains("the settings of a run that has started cannot be changed")
    );
    let again = submit();
    assert_ne!(again.code, Some(0));
    assert!(
        again
            .err
            .contains("job 12.server of this run is already waiting or running")
    );
    fs::write(system.dir.path().join("bin/qstat"), "#!/bin/sh\nexit 153\n").expect("a script");
    let again = submit();
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(system.script().contains("walltime=02:00:00"));
    assert!(
        system
            .asked()
            .ends_with("qsub -N moldflow-run.2 RUN_DIR/job.sh\n"),
        "{}",
        system.asked()
    );
}

#[test]
fn a_job_in_which_no_task_can_end_is_the_last_and_says_so() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    system.submit(&[]).with_code(0);
    // The job is too short for any task: it exits with 0 and prints the reason why none follows.
    let script = system.run_dir().join("job.sh");
    let short = fs::read_to_string(&script)
        .expect("a script")
        .replace("1h30m", "5s");
    fs::write(&script, short).expect("a script");
    let job = system.begin_pbs_job("12.server", "x1\n");
    let out = system.job_out();
    assert_eq!(job.code, Some(0), "{out}");
    assert!(
        out.contains("no task ended in job 12.server, therefore no job follows it"),
        "{out}"
    );
    assert!(
        system
            .status()
            .contains("jobs          no job continues the run: no task ended in job 12.server")
    );
    assert!(
        system.asked().ends_with("qdel 12.server\n"),
        "{}",
        system.asked()
    );
}

#[test]
fn what_the_end_of_its_job_cuts_short_is_tried_again_and_not_counted() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    system.change_site(|profile| {
        let slow = profile.replace("tasks_per_node: 2", "setup: [sleep 60]");
        slow.replace("90m", "12s")
    });
    system.submit_short().with_code(0);
    let job = system.begin_pbs_job("12.server", "x1\n");
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    let attempts = support::journal(&system.run_dir()).into_iter();
    let kinds = attempts.filter_map(|event| match event.fact {
        Fact::Ended {
            outcome: Outcome::Failed(failure),
            ..
        } => Some(failure.kind),
        _ => None,
    });
    assert_eq!(kinds.collect::<Vec<_>>(), [FailureKind::Walltime]);
    assert!(system.status().contains("evaluations   0 (0 failed)"));
    assert!(
        !system.run_dir().join("tasks/1/2").exists(),
        "tried again too late"
    );
}

#[test]
fn where_no_job_may_wait_for_another_the_next_is_submitted_at_the_end() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    system.change_site(|profile| {
        let slow = profile.replace("tasks_per_node: 2", "tasks_per_node: 2, setup: [sleep 1]");
        slow.replace("90m", "12s")
    });
    let qsub = system.dir.path().join("bin/qsub");
    let script = fs::read_to_string(&qsub).expect("a script");
    let refusing =
        "case \"$*\" in *depend*) echo 'qsub: no dependencies' >&2; exit 1;; esac\nprintf";
    fs::write(&qsub, script.replace("printf", refusing)).expect("a script");
    system.submit_short().with_code(0);
    let job = system.begin_pbs_job("12.server", "x1\n");
    let out = system.job_out();
    assert_eq!(job.code, Some(0), "{out}");
    assert!(out.contains("the time of this job is over"), "{out}");
    assert!(out.contains("job 12.server continues the run"), "{out}");
    assert_eq!(
        system.asked(),
        "qsub -N moldflow-run.1 RUN_DIR/job.sh\n\
         qsub -N moldflow-run.2 -W depend=afterany:12.server RUN_DIR/job.sh\n\
         qsub -N moldflow-run.2 RUN_DIR/job.sh\n"
    );
}

#[test]
fn the_tasks_of_a_node_have_gpus_of_their_own() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    let seen = system.dir.path().join("seen");
    let setup = format!(
        "tasks_per_node: 2, gpus_per_task: 2, setup: [\"echo $CUDA_VISIBLE_DEVICES >> {}\"]",
        seen.display()
    );
    system.change_site(|profile| {
        profile
            .replace("tasks_per_node: 2", &setup)
            .replace("node: {cores: 2}", "node: {cores: 2, gpus: 4}")
    });
    let output = system.submit(&[]);
    assert_eq!(output.code, Some(0), "{output:?}");
    // The tasks need GPUs, so the job requests those of its nodes.
    assert!(
        system.script().contains("mpiprocs=1:ngpus=4\n"),
        "{}",
        system.script()
    );
    let job = system.begin_pbs_job("12.server", "x1\n");
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    let seen = fs::read_to_string(seen).expect("tasks wrote it");
    let distinct: std::collections::BTreeSet<&str> = seen.lines().collect();
    assert_eq!(distinct, ["0,1", "2,3"].into());
}

#[test]
fn a_job_whose_path_lacks_the_commands_still_submits_the_next() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    system.submit(&[]).with_code(0);
    // The login shell of the job sets a PATH without them.
    fs::write(system.dir.path().join(".profile"), "PATH=/usr/bin:/bin\n").expect("a profile");
    let job = system.begin_pbs_job("12.server", "x1\n");
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    assert!(
        system
            .asked()
            .contains("qsub -N moldflow-run.2 -W depend=afterany:12.server RUN_DIR/job.sh\n"),
        "{}",
        system.asked()
    );
}

#[test]
fn status_says_at_once_that_the_next_job_could_not_be_submitted() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    let hold = system.dir.path().join("hold");
    fs::write(&hold, "").expect("a file");
    let setup = format!(
        "setup: [\"while test -e {}; do sleep 0.1; done\"]",
        hold.display()
    );
    system.change_site(|profile| profile.replace("tasks_per_node: 2", &setup));
    system.submit(&[]).with_code(0);
    let qsub =
        "#!/bin/sh\necho 'qsub: Access from host not allowed, or unknown host' >&2\nexit 1\n";
    fs::write(system.dir.path().join("bin/qsub"), qsub).expect("a script");
    let nodes = system.dir.path().join("nodes");
    fs::write(&nodes, "x1\n").expect("a node file");
    let mut command = system.command(system.run_dir().join("job.sh"));
    command
        .env("PBS_JOBID", "12.server")
        .env("PBS_NODEFILE", &nodes);
    let mut job = command.spawn().expect("it starts");
    let says = "runs in 12.server; the next job could not be submitted from job 12.server: `qsub";
    support::wait_until("the trouble in status", || {
        let ended = job.try_wait().expect("a child");
        assert_eq!(ended, None, "{}", system.job_out());
        let status = system.status();
        status.contains(says) && status.contains("Access from host not allowed")
    });
    fs::remove_file(hold).expect("a file");
    assert!(
        job.wait().expect("it ends").success(),
        "{}",
        system.job_out()
    );
    assert!(system.status().contains("1, done"), "{}", system.status());
}

/// Inside a job the commands of the job chain go to the instance that runs the job.
#[test]
fn a_campaign_is_submitted_to_flux_and_its_continuation_to_the_instance_around_its_job() {
    let system = RecordingScheduler::new("flux", "");
    system.change_site(|profile| profile.replace("-l place=excl", "--exclusive"));
    let flux = system.dir.path().join("bin/flux");
    let log = system.dir.path().join("asked");
    let script = format!(
        "#!/bin/sh\necho flux \"$@\" >> {}\n\
         case $* in *batch*) echo ƒM7Zq9AKHno ;; getattr*) echo 'x[1-1]' ;; *timeleft*) echo 5400 ;; esac\n",
        log.display()
    );
    fs::write(&flux, script).expect("a script");
    fs::set_permissions(&flux, fs::Permissions::from_mode(0o700)).expect("executable");
    let output = system.submit(&[]);
    assert_eq!(output.code, Some(0), "{}", output.err);
    assert!(
        output.out.contains("job fM7Zq9AKHno: 1 nodes for 1h 30m"),
        "{}",
        output.out
    );
    insta::assert_snapshot!("script_flux", system.script());
    let job = system.begin_job(&[("FLUX_ENCLOSING_ID", "ƒM7Zq9AKHno")]);
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    assert_eq!(
        system.asked(),
        "flux queue list --no-header --format={queue}\n\
         flux batch --job-name=moldflow-run.1 RUN_DIR/job.sh\n\
         flux getattr hostlist\n\
         flux --parent job timeleft fM7Zq9AKHno\n\
         flux --parent batch --job-name=moldflow-run.2 --dependency=afterany:fM7Zq9AKHno RUN_DIR/job.sh\n\
         flux --parent cancel fM7Zq9AKHno\n"
    );
    assert!(system.status().contains("quickstart: finished"));
}

/// Replaces `qsub` by one that gives each job its own number.
fn number_jobs(system: &RecordingScheduler) {
    let dir = system.dir.path().display();
    let qsub = format!(
        "#!/bin/sh\necho qsub \"$@\" >> {dir}/asked\nn=$(($(cat {dir}/last 2>/dev/null || echo 20) + 1))\necho $n > {dir}/last\necho $n.server\n"
    );
    fs::write(system.dir.path().join("bin/qsub"), qsub).expect("a script");
}

#[test]
fn jobs_that_are_submitted_at_once_follow_each_other_and_end_with_the_run() {
    let system = RecordingScheduler::new("pbs", "");
    number_jobs(&system);
    let output = system.submit(&["--chain", "3"]);
    assert_eq!(output.code, Some(0), "{output:?}");
    assert!(
        output
            .out
            .contains("jobs 21.server, 22.server, 23.server: 1 nodes"),
        "{output:?}"
    );
    let submitted = "qsub -N moldflow-run.1 RUN_DIR/job.sh\n\
         qsub -N moldflow-run.2 -W depend=afterany:21.server RUN_DIR/job.sh\n\
         qsub -N moldflow-run.3 -W depend=afterany:22.server RUN_DIR/job.sh\n";
    assert_eq!(system.asked(), submitted);
    assert_eq!(
        system.status(),
        "quickstart: submitted, none of the jobs 21.server, 22.server, 23.server has started\n"
    );
    let job = system.begin_pbs_job("21.server", "x1\n");
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    // Jobs submit no further ones, and the last is cancelled first, since the end of a job starts
    // the next.
    assert_eq!(
        system.asked(),
        format!("{submitted}qdel 23.server\nqdel 22.server\n")
    );
    // A job that could not be cancelled starts nevertheless, and ends at once.
    let job = system.begin_pbs_job("22.server", "x1\n");
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    assert!(
        system.job_out().contains("the run ended before this job"),
        "{}",
        system.job_out()
    );
}

#[test]
fn the_last_of_the_jobs_that_were_submitted_at_once_says_how_the_run_goes_on() {
    let system = RecordingScheduler::new("pbs", "");
    number_jobs(&system);
    system.change_site(|profile| {
        let slow = profile.replace("tasks_per_node: 2", "tasks_per_node: 2, setup: [sleep 1]");
        slow.replace("  walltime: 90m", "  walltime: 12s\n  chain: 1")
    });
    system.submit_short().with_code(0);
    let job = system.begin_pbs_job("21.server", "x1\n");
    assert_eq!(job.code, Some(0), "{}", system.job_out());
    assert_eq!(system.asked(), "qsub -N moldflow-run.1 RUN_DIR/job.sh\n");
    let says = "this was the last of the jobs that were submitted at once";
    assert!(system.job_out().contains(says), "{}", system.job_out());
    assert!(
        system
            .status()
            .contains(&format!("no job continues the run: {says}")),
        "{}",
        system.status()
    );
}

#[test]
fn a_chain_of_which_a_part_is_submitted_says_which() {
    let system = RecordingScheduler::new("pbs", "");
    number_jobs(&system);
    let qsub = system.dir.path().join("bin/qsub");
    let script = fs::read_to_string(&qsub).expect("a script");
    let limit = "case \"$*\" in *run.3*) echo \"qsub: would exceed queue debug's per-user limit of jobs in 'Q' state\" >&2; exit 188;; esac\necho qsub";
    fs::write(&qsub, script.replacen("echo qsub", limit, 1)).expect("a script");
    let output = system.submit(&["--chain", "4"]);
    assert_eq!(output.code, Some(1));
    let printed = output.err;
    assert!(
        printed.contains("only 2 of 4 jobs were submitted") && printed.contains("would exceed"),
        "{printed}"
    );
    assert!(
        printed.contains("the run continues in 21.server, 22.server"),
        "{printed}"
    );
    let list = fs::read_to_string(system.run_dir().join("jobs.json")).expect("a list");
    assert!(list.contains("22.server"), "{list}");
}

#[test]
fn what_cannot_be_submitted_is_refused_before_anything_is_written() {
    let system = RecordingScheduler::new("pbs", "12.server\\n");
    let site = system.dir.path().join("site.yml");
    let refused = |text_of: &str, why: &str| {
        let profile = fs::read_to_string(&site).expect("a profile");
        fs::write(&site, text_of).expect("a profile");
        let output = system.submit(&[]);
        assert_ne!(output.code, Some(0));
        let printed = output.err;
        assert!(printed.contains(why), "{printed}");
        assert!(!system.run_dir().exists());
        fs::write(&site, profile).expect("a profile");
    };
    let profile = fs::read_to_string(&site).expect("a profile");
    let (before, rest) = profile.split_once("submit:").expect("two parts");
    let partitions = rest.split_once("partitions:").expect("two parts").1;
    refused(
        &format!("{before}partitions:{partitions}"),
        "the site `one` has no block `submit`",
    );
    refused(
        &profile.replace("  walltime: 90m", "  walltime: 90m\n  nodes: 2"),
        "does not say how a program is started on one of them",
    );
    refused(
        &profile.replace("queue: debug", "queue: \"debug; rm\""),
        "cannot stand in a batch script",
    );
}
