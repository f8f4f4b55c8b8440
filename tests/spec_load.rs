//! Campaign files: what is read from them.
use moldflow::spec::campaign::{Overrides, load};
use std::path::Path;

#[test]
fn the_shipped_campaign_loads() {
    match load(
        Path::new("campaigns/qm9-atomization.yml"),
        &Overrides::default(),
    ) {
        Ok(loaded) => println!(
            "{}\n{}",
            serde_saphyr::to_string(&loaded.campaign).unwrap(),
            serde_saphyr::to_string(&loaded.site).unwrap()
        ),
        Err(faults) => panic!("{faults}"),
    }
}
