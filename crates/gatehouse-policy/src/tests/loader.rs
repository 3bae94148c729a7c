//! Images that arrive in chunks.

use super::*;
use crate::{IMAGE_VERSION, ImageLoader, MAX_IMAGE, PolicyError, Progress};

fn image() -> Compiled {
    compiled(&document("p", "rules: [{ name: r, match: { path: /a/** }, then: block }]")).expect("compiles")
}

fn begin(image: &Compiled) -> ImageLoader {
    ImageLoader::begin(9, image.image.len() as u64, &image.digest, IMAGE_VERSION).expect("begins")
}

/// Takes all that is there; the policy once it is whole.
fn work(loader: &mut ImageLoader) -> Result<Option<Policy>, PolicyError> {
    loop {
        match loader.work(3)? {
            Progress::Busy => {}
            Progress::Waiting => return Ok(None),
            Progress::Done(policy) => return Ok(Some(*policy)),
        }
    }
}

#[test]
fn an_image_in_chunks_of_any_size_is_the_policy() {
    let image = image();
    for size in [1, 7, 100, image.image.len()] {
        let mut loader = begin(&image);
        let mut offset = 0;
        let mut loaded = None;
        for chunk in image.image.chunks(size) {
            assert!(loaded.is_none());
            loader.chunk(&image.digest, offset, chunk).expect("taken");
            loaded = work(&mut loader).expect("sound");
            offset += chunk.len() as u64;
        }
        let policy = loaded.expect("whole");
        assert_eq!((policy.stamp().revision, policy.digest(), policy.rules()), (9, image.digest, 1));
        assert!(loader.chunk(&image.digest, offset, b"x").is_err());
    }
}

#[test]
fn gaps_mixed_images_and_too_much_are_refused() {
    let image = image();
    let mut loader = begin(&image);
    loader.chunk(&image.digest, 0, &image.image[..10]).expect("taken");
    let gap = loader.chunk(&image.digest, 12, &image.image[12..20]).expect_err("a gap");
    assert_eq!(gap, PolicyError::Gap { expected: 10, found: 12 });
    assert_eq!(loader.chunk(&[0; 32], 10, b"x").expect_err("another"), PolicyError::Mixed);
    let beyond = loader.chunk(&image.digest, 10, &[0; 100_000]).expect_err("too much");
    assert!(matches!(beyond, PolicyError::TooLarge(_)));
}

#[test]
fn other_bytes_than_announced_are_refused() {
    let image = image();
    let mut bytes = image.image.clone();
    *bytes.last_mut().expect("bytes") ^= 1;
    let mut loader = begin(&image);
    loader.chunk(&image.digest, 0, &bytes).expect("taken");
    assert_eq!(work(&mut loader).expect_err("refused"), PolicyError::Digest);
    assert!(matches!(loader.work(9), Ok(Progress::Waiting)));
}

#[test]
fn another_format_is_refused_by_naming_the_one_needed() {
    let said = |version: u32| ImageLoader::begin(1, 10, &[0; 32], version).expect_err("refused").to_string();
    assert!(said(1).contains("format 1, older than any that this gate reads"), "{}", said(1));
    let next = IMAGE_VERSION + 1;
    assert!(
        said(next).contains(&format!("needs format {next}, this gate reads up to {IMAGE_VERSION}")),
        "{}",
        said(next)
    );
    assert!(matches!(ImageLoader::begin(1, MAX_IMAGE as u64 + 1, &[0; 32], 2), Err(PolicyError::TooLarge(_))));
    assert!(matches!(ImageLoader::begin(1, 10, &[0; 31], 2), Err(PolicyError::Digest)));
}
