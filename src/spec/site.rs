//! A site profile: a machine, its partitions, and how each starts its work.
//
// Site { name, description?, recognise: {hostname: [glob], environment: [VAR]}, node: {cores: auto|n, memory?: auto|"192 GiB", gpus},
//   scratch: path = "./scratch", mpiexec_command?: handlebars template, setup: [..] = [], partitions: BTreeMap<String, Partition> }
// Partition { executor: local (issue 4 adds allocation, slurm, pbs, cobalt), slots: n | cores, cores_per_task = 1, environment: BTreeMap<String,String> = {} }
