//! The agent: its network and optimiser equal an independent implementation, it learns, and it can
//! be saved.

use std::convert::Infallible;

use moldflow::learn::adam::Adam;
use moldflow::learn::dqn::{Dqn, DqnError, DqnSettings};
use moldflow::learn::environment::{Action, AgentEnvironment, StateObservation};
use moldflow::learn::network::{Gradient, Layer, QNetwork, loss};
use moldflow::learn::saved::SavedError;
use proptest::prelude::*;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use serde::Deserialize;

/// A corridor of `length` places with the start in the middle. Only the right end has a reward; the
/// left end is terminal.
struct Corridor {
    length: usize,
}

impl AgentEnvironment for Corridor {
    type State = usize;
    type Error = Infallible;

    fn start(&mut self) -> Result<usize, Infallible> {
        Ok(self.length / 2)
    }

    fn actions(&mut self, place: &usize) -> Result<Vec<Action<usize>>, Infallible> {
        let reachable = match *place {
            0 => vec![],
            place => vec![place - 1, (place + 1).min(self.length - 1)],
        };
        let seen = |place: usize| vec![u32::try_from(place).unwrap()];
        Ok(reachable
            .into_iter()
            .map(|state| Action {
                state,
                observation: seen(state),
            })
            .collect())
    }

    fn reward(&mut self, place: &usize) -> Result<f64, Infallible> {
        Ok(if place + 1 == self.length { 1.0 } else { 0.0 })
    }
}

fn settings() -> DqnSettings {
    DqnSettings {
        inputs: 9,
        hidden: vec![16, 8],
        learning_rate: 1e-2,
        gamma: 0.9,
        epsilon_start: 1.0,
        epsilon_decay: 0.9,
        epsilon_min: 0.1,
        batch_size: 8,
        replay_size: 60,
        target_update_episodes: 3,
    }
}

fn corridor() -> Corridor {
    Corridor { length: 9 }
}

fn play(agent: &mut Dqn, episodes: usize) -> Vec<usize> {
    let mut visited = Vec::new();
    agent
        .run(&mut corridor(), episodes, 8, 7, |place| {
            visited.push(*place)
        })
        .unwrap();
    visited
}

fn new_agent() -> Dqn {
    Dqn::new(settings(), 1)
}

#[derive(Deserialize)]
struct Golden {
    learning_rate: f64,
    shapes: Vec<Vec<usize>>,
    parameters: Vec<Vec<f32>>,
    observations: Vec<StateObservation>,
    targets: Vec<f32>,
    values: Vec<f32>,
    losses: Vec<f32>,
    values_after: Vec<f32>,
}

#[test]
fn network_loss_and_optimiser_are_those_of_jax() {
    let golden: Golden = serde_json::from_str(include_str!("../goldens/learn_dqn.json")).unwrap();
    let layers = golden.parameters.chunks_exact(2).map(|pair| Layer {
        weight: pair[0].clone(),
        bias: pair[1].clone(),
    });
    let mut network = QNetwork {
        layers: layers.collect(),
    };
    let hidden: Vec<usize> = golden.shapes[1..]
        .chunks(2)
        .map(|shape| shape[0][0])
        .collect();
    let (inputs, hidden) = (golden.shapes[0][0], &hidden[..hidden.len() - 1]);
    let mut optimiser = Adam::new(inputs, hidden, golden.learning_rate);
    let observations: Vec<&StateObservation> = golden.observations.iter().collect();

    assert_all_close(&network.values(&observations), &golden.values);
    let losses: Vec<f32> = (0..golden.losses.len())
        .map(|_| {
            let pass = network.pass(&observations);
            let (loss, derivatives) = loss(pass.values(), &golden.targets);
            let gradient = network.gradient(&observations, &pass, derivatives);
            optimiser.step(&mut network, &gradient);
            loss
        })
        .collect();
    assert_all_close(&losses, &golden.losses);
    assert_all_close(&network.values(&observations), &golden.values_after);
}

#[track_caller]
fn assert_all_close(ours: &[f32], theirs: &[f32]) {
    assert_eq!(ours.len(), theirs.len());
    for (ours, theirs) in ours.iter().zip(theirs) {
        assert!((ours - theirs).abs() < 2e-5, "{ours} is not {theirs}");
    }
}

#[test]
fn rows_that_wait_move_as_if_they_had_taken_each_step() {
    const STEPS: u32 = 400;
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut waiting = QNetwork::new(4, &[32], &mut rng);
    let mut stepping = waiting.clone();
    let (mut late, mut prompt) = (Adam::new(4, &[32], 1e-3), Adam::new(4, &[32], 1e-3));
    // Row k has a gradient in each step that 3^k divides.
    for step in 0..STEPS {
        let rows: Vec<u32> = (0..4).filter(|k| step % 3_u32.pow(*k) == 0).collect();
        let slopes =
            |row: u32| (0..32).map(move |i| ((step + 7 * row + 3 * i) as f32).sin() * 1e-3);
        let gradient = |rows: Vec<u32>, has_one: &dyn Fn(u32) -> bool| Gradient {
            layers: vec![
                Layer {
                    weight: (rows.iter())
                        .flat_map(|row| slopes(*row).map(|g| if has_one(*row) { g } else { 0.0 }))
                        .collect(),
                    bias: vec![0.0; 32],
                },
                Layer::zeros(32, 1),
            ],
            rows,
        };
        late.catch_up(&mut waiting, rows.clone());
        late.step(&mut waiting, &gradient(rows.clone(), &|_| true));
        prompt.step(
            &mut stepping,
            &gradient((0..4).collect(), &|row| rows.contains(&row)),
        );
    }
    late.settle(&mut waiting);
    let pairs = waiting.layers[0]
        .weight
        .iter()
        .zip(&stepping.layers[0].weight);
    for (waited, stepped) in pairs {
        assert!((waited - stepped).abs() < 2e-6, "{waited} is not {stepped}");
    }
}

#[test]
fn new_weights_lie_within_the_bounds_of_pytorch_and_come_from_the_seed() {
    let weights = |seed| -> Vec<f32> {
        let network = QNetwork::new(100, &[50], &mut ChaCha8Rng::seed_from_u64(seed));
        network.layers[0].weight.clone()
    };
    let drawn = weights(5);
    let largest = drawn
        .iter()
        .fold(0.0_f32, |largest, w| largest.max(w.abs()));
    assert!(largest <= 0.1 && largest > 0.099);
    assert_eq!(drawn, weights(5));
    assert_ne!(drawn, weights(6));
}

#[test]
fn the_agent_learns_to_walk_to_the_reward() {
    let mut agent = new_agent();
    let early = play(&mut agent, 10);
    play(&mut agent, 80);
    let late = play(&mut agent, 10);
    let rewarded = |places: &[usize]| places.iter().filter(|place| **place == 8).count();
    assert!(rewarded(&late) > 3 * rewarded(&early), "{early:?} {late:?}");
}

#[test]
fn being_saved_between_calls_changes_nothing() {
    for (before, after) in [(1, 12), (4, 9), (9, 4)] {
        let mut whole = new_agent();
        let visited = play(&mut whole, before + after);
        let mut first = new_agent();
        let mut visited_in_parts = play(&mut first, before);
        let mut second = Dqn::from_bytes(&first.to_bytes().unwrap(), settings()).unwrap();
        visited_in_parts.extend(play(&mut second, after));
        assert_eq!(visited, visited_in_parts);
        assert!(whole.to_bytes().unwrap() == second.to_bytes().unwrap());
    }
}

#[test]
fn the_same_seed_gives_the_same_bits() {
    let bytes = || {
        let mut agent = new_agent();
        play(&mut agent, 10);
        agent.to_bytes().unwrap()
    };
    assert!(bytes() == bytes());
}

#[test]
fn epsilon_decays_with_the_episodes_to_its_least_and_can_be_raised() {
    let mut agent = new_agent();
    assert_eq!(agent.epsilon(), 1.0);
    play(&mut agent, 2);
    assert!((agent.epsilon() - 0.81).abs() < 1e-12);
    agent.explore_at_least(0.5);
    assert!((agent.epsilon() - 0.81).abs() < 1e-12);
    play(&mut agent, 30);
    assert_eq!(agent.epsilon(), 0.1);
    agent.explore_at_least(0.5);
    assert_eq!(agent.epsilon(), 0.5);
    assert_eq!(agent.episodes(), 32);
}

#[test]
fn nothing_is_learnt_before_the_memory_holds_a_batch() {
    let mut agent = new_agent();
    let fresh = Dqn::new(settings(), 1).to_bytes().unwrap();
    let summary = agent.run(&mut corridor(), 1, 7, 7, |_| ()).unwrap();
    assert_eq!(summary.mean_loss, None);
    // Weights and moments are the end of the file, without the rows of the first weight, which have
    // not moved, and the target network.
    let weights = 3 * 4 * (16 + 16 * 8 + 8 + 8 + 1);
    let agent = agent.to_bytes().unwrap();
    assert!(agent[agent.len() - weights..] == fresh[fresh.len() - weights..]);
}

#[test]
fn an_episode_without_a_way_on_ends_early() {
    let mut agent = new_agent();
    let summary = agent
        .run(&mut Corridor { length: 1 }, 3, 8, 7, |_| ())
        .unwrap();
    assert_eq!(
        (summary.episodes, summary.steps, summary.mean_reward),
        (3, 0, 0.0)
    );
}

#[test]
fn a_step_limit_is_no_end_but_a_dead_end_is() {
    // With one place to go to and no discount the value of the place grows with every copy to the
    // target network; for a terminal state it stays at the reward.
    struct Loop {
        way_on: bool,
    }
    impl AgentEnvironment for Loop {
        type State = bool;
        type Error = Infallible;
        fn start(&mut self) -> Result<bool, Infallible> {
            Ok(false)
        }
        fn actions(&mut self, moved: &bool) -> Result<Vec<Action<bool>>, Infallible> {
            let action = Action {
                state: true,
                observation: vec![0],
            };
            Ok(if !moved || self.way_on {
                vec![action]
            } else {
                vec![]
            })
        }
        fn reward(&mut self, _: &bool) -> Result<f64, Infallible> {
            Ok(1.0)
        }
    }
    let last_loss = |way_on| {
        let settings = DqnSettings {
            inputs: 1,
            gamma: 1.0,
            target_update_episodes: 1,
            ..settings()
        };
        let mut agent = Dqn::new(settings, 3);
        agent.run(&mut Loop { way_on }, 300, 1, 7, |_| ()).unwrap();
        agent
            .run(&mut Loop { way_on }, 1, 1, 7, |_| ())
            .unwrap()
            .mean_loss
            .unwrap()
    };
    assert!(last_loss(false) < 1e-4);
    assert!(last_loss(true) > 0.1);
}

#[test]
fn an_agent_that_diverges_says_so() {
    struct Abyss;
    impl AgentEnvironment for Abyss {
        type State = ();
        type Error = Infallible;
        fn start(&mut self) -> Result<(), Infallible> {
            Ok(())
        }
        fn actions(&mut self, (): &()) -> Result<Vec<Action<()>>, Infallible> {
            Ok(vec![Action {
                state: (),
                observation: vec![1],
            }])
        }
        fn reward(&mut self, (): &()) -> Result<f64, Infallible> {
            Ok(f64::NAN)
        }
    }
    let error = new_agent().run(&mut Abyss, 2, 8, 7, |_| ()).unwrap_err();
    assert!(matches!(error, DqnError::Diverged(..)));
}

#[test]
fn a_file_that_is_no_whole_agent_is_refused() {
    let bytes = new_agent().to_bytes().unwrap();
    let read = |bytes: &[u8]| Dqn::from_bytes(bytes, settings()).map(|_| ()).unwrap_err();
    assert!(matches!(read(b""), SavedError::NotOfKind("agent")));
    assert!(matches!(
        read(b"moldflow model 1\n"),
        SavedError::NotOfKind("agent")
    ));
    assert!(matches!(
        read(b"moldflow agent 99\n"),
        SavedError::Layout { .. }
    ));
    assert!(matches!(
        read(&bytes[..bytes.len() - 1]),
        SavedError::Damaged("agent")
    ));
    assert!(matches!(
        read(&[bytes.as_slice(), &[0]].concat()),
        SavedError::Damaged("agent")
    ));
    let wider = DqnSettings {
        hidden: vec![16, 9],
        ..settings()
    };
    let error = Dqn::from_bytes(&bytes, wider).map(|_| ()).unwrap_err();
    assert!(matches!(error, SavedError::Layers { .. }));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]

    #[test]
    fn an_agent_comes_back_as_it_was(episodes in 0..6usize, cut in 0..2000usize) {
        let mut agent = new_agent();
        play(&mut agent, episodes);
        let bytes = agent.to_bytes().unwrap();
        let again = Dqn::from_bytes(&bytes, settings()).unwrap();
        prop_assert!(bytes == again.to_bytes().unwrap());
        prop_assert!(Dqn::from_bytes(&bytes[..cut.min(bytes.len() - 1)], settings()).is_err());
    }
}
