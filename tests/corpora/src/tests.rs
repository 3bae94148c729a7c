use std::net::IpAddr;

use crate::{Dice, Shape, networks, standard, standard_of};

#[test]
fn what_is_made_is_the_same_every_time() {
    assert_eq!(standard_of(100, 200), standard_of(100, 200));
    assert_eq!(Dice::new(7).bits(), Dice::new(7).bits());
    assert_ne!(Dice::new(7).bits(), Dice::new(8).bits());
}

#[test]
fn every_text_stays_below_the_limit_of_a_document() {
    let shapes = Shape::ALL.map(|shape| shape.corpus(shape.most()));
    for corpus in shapes.iter().chain([&standard()]) {
        let longest = corpus.documents.iter().map(String::len).max();
        assert!(longest.is_some_and(|length| length <= 1 << 20), "{}: {longest:?}", corpus.name);
        let named = corpus.documents.iter().map(|text| text.matches(r#""match":"#).count()).sum::<usize>();
        assert_eq!(named, corpus.rules, "{}", corpus.name);
    }
}

#[test]
fn the_requests_of_a_shape_do_not_depend_on_its_size() {
    for shape in Shape::ALL {
        assert_eq!(shape.corpus(100).asks, shape.corpus(300).asks, "{}", shape.as_str());
        assert_eq!(shape.corpus_for(10, 10).asks, shape.corpus_for(10, 300).asks, "{}", shape.as_str());
    }
}

#[test]
fn networks_are_different_and_of_three_kinds() {
    let all = networks(10_000, 3);
    assert_eq!(all.len(), 10_000);
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    let singles = all.iter().filter(|text| text.parse::<IpAddr>().is_ok()).count();
    let v6 = all.iter().filter(|text| text.contains(':')).count();
    assert!((6500..7500).contains(&singles) && (500..1500).contains(&v6), "{singles} {v6}");
}
