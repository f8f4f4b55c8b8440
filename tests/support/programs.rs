//! Simulations by real programs, prepared and run as a task does it.

use std::path::Path;

use moldflow::exec;
use moldflow::simulate::{
    Outputs, PreparedSimulation, Program, Request, SimError, SimResult, Simulator,
};

/// The program that computes `request`.
pub fn program_of(
    engine: &dyn Simulator,
    request: &Request,
    scratch: Option<&Path>,
) -> Result<Program, SimError> {
    match engine.prepare(request, scratch)? {
        PreparedSimulation::Program(program) => Ok(program),
        other => panic!("no program computes it: {other:?}"),
    }
}

/// Runs a program in `dir`, if need be as root, which Open MPI refuses by default.
pub fn run_program(program: &Program, dir: &Path) -> Outputs {
    let allowed = ["OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"];
    let allowed = allowed.map(|name| (name.to_owned(), "1".to_owned()));
    let env: Vec<_> = program.env.iter().cloned().chain(allowed).collect();
    let run = exec::run(&program.argv, &env, &program.files, dir);
    let run = run.unwrap_or_else(|error| panic!("{error}: `scripts/test` installs programs"));
    Outputs {
        dir: dir.to_owned(),
        stdout: run.stdout,
        stderr: run.stderr,
        exit_code: run.exit_code,
    }
}

/// Result of a simulation in an empty folder, by its program.
pub fn computed(engine: &dyn Simulator, request: &Request) -> Result<SimResult, SimError> {
    let program = program_of(engine, request, None)?;
    let dir = tempfile::tempdir().expect("a directory");
    engine.parse(request, &run_program(&program, dir.path()))
}
