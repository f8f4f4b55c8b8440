//! Axes and charts of `report.html`: round numbers, whole pixels, a bounded size.

use std::collections::BTreeSet;

use moldflow::report::axis::Axis;
use moldflow::report::chart::{Chart, ChartLayer, Mark};
use proptest::prelude::*;

#[test]
fn a_chart_of_a_million_points_has_a_bounded_size() {
    let scattered = |n: u32| (f64::from(n), f64::from(n.wrapping_mul(2_654_435_761) >> 13));
    let points: Vec<_> = (0..1_000_000).map(scattered).collect();
    for mark in [Mark::Dot, Mark::Line, Mark::Bar] {
        let layer = ChartLayer {
            name: None,
            class: "best",
            mark,
            points: points.clone(),
            titles: vec![],
        };
        let chart = Chart {
            title: "scattered",
            width: 860,
            height: 360,
            x: Axis::around("x", points.iter().map(|p| p.0)),
            y: Axis::around("y", points.iter().map(|p| p.1)),
            layers: vec![layer],
        };
        let svg = chart.svg();
        assert!(
            (5_000..350_000).contains(&svg.len()),
            "{mark:?}: {} bytes",
            svg.len()
        );
    }
}

#[test]
fn equal_values_are_in_the_middle_of_an_axis_with_short_numbers() {
    for (value, expected) in [
        (3.0, ["2.6", "2.8", "3.0", "3.2", "3.4"].as_slice()),
        (0.0, &["-0.10", "-0.05", "0.00", "0.05", "0.10"]),
        (-40.5, &["-46", "-44", "-42", "-40", "-38", "-36"]),
    ] {
        let axis = Axis::around("loss", [value, value]);
        let texts: Vec<String> = axis.ticks().map(|(_, text)| text).collect();
        assert_eq!(texts, expected);
    }
}

fn any_value() -> impl Strategy<Value = f64> {
    prop_oneof![
        4 => -10.0..10.0_f64,
        2 => -4.0001..-4.0_f64,
        1 => -2e6..2e6_f64,
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(0.0), Just(1e-300), Just(-1e6)],
    ]
}

proptest! {
    #[test]
    fn an_axis_holds_its_values_between_round_numbers(values in prop::collection::vec(any_value(), 0..9)) {
        let axis = Axis::around("energy", values.clone());
        let ticks: Vec<(f64, String)> = axis.ticks().collect();
        prop_assert!((2..=12).contains(&ticks.len()), "{ticks:?}");
        let texts: BTreeSet<&String> = ticks.iter().map(|(_, text)| text).collect();
        prop_assert_eq!(texts.len(), ticks.len(), "each has a text of its own");
        for (tick, text) in &ticks {
            let step = ticks[1].0 - ticks[0].0;
            prop_assert!((text.parse::<f64>().unwrap() - tick).abs() < 1e-3 * step, "{text} is not {tick}");
            prop_assert!(axis.place(*tick).is_some());
        }
        for value in values {
            prop_assert!(axis.place(value).is_some() || value.is_nan() || value.abs() > 1e6, "{}", value);
            prop_assert!(axis.place(value).is_none() || value.is_finite());
        }
    }

    #[test]
    fn a_chart_of_any_points_is_whole_numbers_within_the_picture(
        points in prop::collection::vec((any_value(), any_value()), 0..40),
    ) {
        for mark in [Mark::Dot, Mark::Cross, Mark::Line, Mark::Bar] {
            let layer = ChartLayer { name: Some("a <name>"), class: "best", mark, points: points.clone(), titles: vec![] };
            let chart = Chart {
                title: "a & b",
                width: 400,
                height: 300,
                x: Axis::around("x", points.iter().map(|p| p.0)),
                y: Axis::around("y", points.iter().map(|p| p.1)),
                layers: vec![layer],
            };
            let svg = chart.svg();
            let drawn = svg.split(" d=\"").last().unwrap().split('"').next().unwrap();
            for number in drawn.split(|c: char| !c.is_ascii_digit() && c != '-' && c != '.').filter(|n| !n.is_empty()) {
                // Parts of a cross go back with `-`, glued to the number before.
                for number in number.split('-').filter(|n| !n.is_empty()) {
                    let number: i32 = number.parse().unwrap();
                    prop_assert!((0..=400).contains(&number), "{drawn}");
                }
            }
            prop_assert!(!svg.contains("NaN") && !svg.contains("inf") && !svg.contains("<name>"), "{svg}");
        }
    }
}
