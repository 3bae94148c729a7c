//! An image in chunks: only the announced bytes, whole, in order and unchanged become a policy.

use gatehouse_policy::{IMAGE_VERSION, ImageLoader, Policy, Progress};
use sha2::{Digest as _, Sha256};

use crate::given::Dice;
use crate::image::{REAL, changed, exercise};

/// One byte for what is announced wrong, then chunks: how long, and what is wrong with them; the rest changes the image.
pub fn check(bytes: &[u8]) {
    let mut dice = Dice(bytes);
    let fault = dice.byte();
    let chunks: Vec<(u32, u8)> = (0..dice.byte() % 16).map(|_| (dice.word(), dice.byte())).collect();
    let image = if fault & 1 == 1 { changed(dice.0) } else { REAL[dice.below(REAL.len())].clone() };
    let digest: [u8; 32] = Sha256::digest(&image).into();
    let total = (image.len() as u64).wrapping_add_signed(if fault & 2 == 2 {
        i64::from(dice.byte() as i8) << (dice.byte() % 48)
    } else {
        0
    });
    let version = if fault & 4 == 4 { dice.word() } else { IMAGE_VERSION };
    let announced = &digest[..if fault & 8 == 8 { dice.below(33) } else { 32 }];
    let Ok(mut loader) = ImageLoader::begin(7, total, announced, version) else { return };
    assert!(version == IMAGE_VERSION && announced.len() == 32, "begun with what cannot be");

    let (mut sent, mut clean) = (0_usize, total == image.len() as u64);
    for (length, wrong) in chunks.into_iter().chain([(u32::MAX, 0)]) {
        let end = sent.saturating_add(length as usize).min(image.len());
        let mut data = image[sent..end].to_vec();
        let (mut of, mut offset) = (digest, sent as u64);
        match wrong & 0x3F {
            1 => of[31] ^= 1,
            2 => offset = offset.wrapping_add(1),
            3 if !data.is_empty() => data[0] ^= 1,
            4 => data.push(0),
            _ => {}
        }
        clean &= of == digest && offset == sent as u64 && data == image[sent..end];
        if loader.chunk(&of, offset, &data).is_err() {
            return;
        }
        sent = end;
        // Sometimes the caller's time is up before all is done.
        match loader.work(1 + usize::from(wrong >> 6) * 1000) {
            Ok(Progress::Done(policy)) => return done(&policy, clean && sent == image.len(), &image, digest),
            Ok(Progress::Busy | Progress::Waiting) => {}
            Err(_) => return,
        }
    }
    // Each unit reads or checks something: an image of so many bytes is not more work than this.
    match loader.work(image.len() + 1000) {
        Ok(Progress::Done(policy)) => done(&policy, clean, &image, digest),
        Ok(Progress::Busy) => panic!("there is no end to the work"),
        Ok(Progress::Waiting) => assert!(!clean, "a whole image gave neither a policy nor an error"),
        Err(_) => {}
    }
}

fn done(policy: &Policy, clean: bool, image: &[u8], digest: [u8; 32]) {
    assert!(clean, "a policy of what was not announced");
    assert_eq!((policy.digest(), policy.image(), policy.stamp().revision), (digest, image, 7));
    exercise(policy, false);
}
