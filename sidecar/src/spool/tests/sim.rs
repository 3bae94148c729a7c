//! A disk in memory that forgets what was not synced, block by block, loses names, fills up, and fails and goes blind on demand.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use crate::spool::disk::{Disk, DiskFile};

const BLOCK: usize = 512;

#[derive(Clone)]
pub(super) struct SimDisk(Arc<Mutex<World>>);

struct World {
    random: u64,
    capacity: u64,
    /// Calls that may still succeed before some fail.
    fail_after: Option<u32>,
    /// Calls that fail then, one after the other.
    faults: u32,
    /// The same of calls that only look.
    blind_after: Option<u32>,
    blind: u32,
    /// Calls that only look and failed.
    unseen: u64,
    files: Vec<Inode>,
    names: BTreeMap<String, usize>,
    durable_names: BTreeMap<String, usize>,
    /// Changes of names since the last sync of the folder, in order.
    changes: Vec<BTreeMap<String, usize>>,
}

#[derive(Default)]
struct Inode {
    live: Vec<u8>,
    durable: Vec<u8>,
    dirty: BTreeSet<usize>,
}

struct SimFile {
    world: Arc<Mutex<World>>,
    inode: usize,
}

impl SimDisk {
    pub(super) fn new(seed: u64, capacity: u64) -> Self {
        Self(Arc::new(Mutex::new(World {
            random: seed | 1,
            capacity,
            fail_after: None,
            faults: 0,
            blind_after: None,
            blind: 0,
            unseen: 0,
            files: Vec::new(),
            names: BTreeMap::new(),
            durable_names: BTreeMap::new(),
            changes: Vec::new(),
        })))
    }

    /// The power goes: of what was not synced, any blocks and any first changes of names survive.
    pub(super) fn lose_power(&self) {
        let mut world = self.0.lock().unwrap();
        let changes = std::mem::take(&mut world.changes);
        let survive = world.below(changes.len() + 1);
        if let Some(names) = survive.checked_sub(1).and_then(|last| changes.into_iter().nth(last)) {
            world.durable_names = names;
        }
        world.names = world.durable_names.clone();
        for index in 0..world.files.len() {
            let dirty = std::mem::take(&mut world.files[index].dirty);
            for block in dirty {
                if world.below(2) == 0 {
                    world.files[index].keep(block);
                }
            }
            let file = &mut world.files[index];
            file.live = file.durable.clone();
        }
        (world.fail_after, world.blind_after) = (None, None);
    }

    /// One of the next calls that change the disk fails.
    pub(super) fn fail_after(&self, calls: u32) {
        self.fail_run(calls, 1);
    }

    /// After so many calls that change the disk so many fail, each with EIO or ENOSPC.
    pub(super) fn fail_run(&self, calls: u32, faults: u32) {
        let mut world = self.0.lock().unwrap();
        (world.fail_after, world.faults) = (Some(calls), faults);
    }

    /// After so many calls that only look (names, opening, lengths, reading) so many fail, each with EIO.
    pub(super) fn blind_run(&self, calls: u32, faults: u32) {
        let mut world = self.0.lock().unwrap();
        (world.blind_after, world.blind) = (Some(calls), faults);
    }

    /// Calls that only look and failed so far.
    pub(super) fn unseen(&self) -> u64 {
        self.0.lock().unwrap().unseen
    }

    pub(super) fn no_fault(&self) {
        let mut world = self.0.lock().unwrap();
        (world.fail_after, world.blind_after) = (None, None);
    }

    pub(super) fn set_capacity(&self, capacity: u64) {
        self.0.lock().unwrap().capacity = capacity;
    }

    /// Bytes of a file as they are durable.
    pub(super) fn content(&self, name: &str) -> Vec<u8> {
        let world = self.0.lock().unwrap();
        world.files[world.names[name]].live.clone()
    }

    /// Puts other bytes into a file, durably, behind everyone's back.
    pub(super) fn put(&self, name: &str, bytes: Vec<u8>) {
        let mut world = self.0.lock().unwrap();
        let inode = world.names[name];
        world.files[inode] = Inode { live: bytes.clone(), durable: bytes, dirty: BTreeSet::new() };
    }
}

impl World {
    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        usize::try_from(self.random % u64::try_from(limit).unwrap()).unwrap()
    }

    fn attempt(&mut self) -> io::Result<()> {
        match self.fail_after {
            Some(0) => {
                self.faults = self.faults.saturating_sub(1);
                self.fail_after = (self.faults > 0).then_some(0);
                let (eio, enospc) = (5, 28);
                Err(io::Error::from_raw_os_error(if self.below(2) == 0 { eio } else { enospc }))
            }
            Some(calls) => {
                self.fail_after = Some(calls - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn look(&mut self) -> io::Result<()> {
        match self.blind_after {
            Some(0) => {
                self.blind = self.blind.saturating_sub(1);
                self.blind_after = (self.blind > 0).then_some(0);
                self.unseen += 1;
                Err(io::Error::from_raw_os_error(5))
            }
            Some(calls) => {
                self.blind_after = Some(calls - 1);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn renamed(&mut self) {
        self.changes.push(self.names.clone());
    }
}

impl Inode {
    /// Makes one block durable as it is now.
    fn keep(&mut self, block: usize) {
        let from = (block * BLOCK).min(self.live.len());
        let to = (from + BLOCK).min(self.live.len());
        if self.durable.len() < to {
            self.durable.resize(to, 0);
        }
        self.durable[from..to].copy_from_slice(&self.live[from..to]);
    }
}

impl Disk for SimDisk {
    fn names(&self) -> io::Result<Vec<String>> {
        let mut world = self.0.lock().unwrap();
        world.look()?;
        Ok(world.names.keys().cloned().collect())
    }

    fn create(&self, name: &str, bytes: u64) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.0.lock().unwrap();
        world.attempt()?;
        world.names.remove(name);
        world.renamed();
        let used: usize = world.names.values().map(|&inode| world.files[inode].live.len()).sum();
        if u64::try_from(used).unwrap() + bytes > world.capacity {
            return Err(io::Error::from(io::ErrorKind::StorageFull));
        }
        let zeros = vec![0; usize::try_from(bytes).unwrap()];
        let inode = world.files.len();
        world.files.push(Inode { live: zeros.clone(), durable: zeros, dirty: BTreeSet::new() });
        world.names.insert(name.to_owned(), inode);
        world.renamed();
        Ok(Arc::new(SimFile { world: Arc::clone(&self.0), inode }))
    }

    fn open(&self, name: &str) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.0.lock().unwrap();
        world.look()?;
        let inode = *world.names.get(name).ok_or(io::ErrorKind::NotFound)?;
        Ok(Arc::new(SimFile { world: Arc::clone(&self.0), inode }))
    }

    fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        world.attempt()?;
        let inode = world.names.remove(from).ok_or(io::ErrorKind::NotFound)?;
        world.names.insert(to.to_owned(), inode);
        world.renamed();
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        world.attempt()?;
        world.names.remove(name).ok_or(io::ErrorKind::NotFound)?;
        world.renamed();
        Ok(())
    }

    fn sync_names(&self) -> io::Result<()> {
        let mut world = self.0.lock().unwrap();
        world.attempt()?;
        world.durable_names = world.names.clone();
        world.changes.clear();
        Ok(())
    }
}

impl DiskFile for SimFile {
    fn bytes(&self) -> io::Result<u64> {
        let mut world = self.world.lock().unwrap();
        world.look()?;
        Ok(u64::try_from(world.files[self.inode].live.len()).unwrap())
    }

    fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut world = self.world.lock().unwrap();
        world.look()?;
        let live = &world.files[self.inode].live;
        let from = usize::try_from(offset).unwrap().min(live.len());
        let to = (from + into.len()).min(live.len());
        into[..to - from].copy_from_slice(&live[from..to]);
        Ok(to - from)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut world = self.world.lock().unwrap();
        let fault = world.attempt();
        // A write that fails has written some of it.
        let bytes = if fault.is_err() { &bytes[..world.below(bytes.len() + 1)] } else { bytes };
        let from = usize::try_from(offset).unwrap();
        let file = &mut world.files[self.inode];
        if file.live.len() < from + bytes.len() {
            file.live.resize(from + bytes.len(), 0);
        }
        file.live[from..from + bytes.len()].copy_from_slice(bytes);
        file.dirty.extend(from / BLOCK..=(from + bytes.len()) / BLOCK);
        fault
    }

    fn cut(&self, bytes: u64) -> io::Result<()> {
        let mut world = self.world.lock().unwrap();
        world.attempt()?;
        // As long as the length is not synced the old one comes back with the power.
        world.files[self.inode].live.truncate(usize::try_from(bytes).unwrap());
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        let mut world = self.world.lock().unwrap();
        let fault = world.attempt();
        let dirty = std::mem::take(&mut world.files[self.inode].dirty);
        for block in dirty {
            // A sync that fails forgets what it could not write: the pages count as clean from then on.
            if fault.is_ok() || world.below(2) == 0 {
                world.files[self.inode].keep(block);
            }
        }
        if fault.is_ok() {
            let file = &mut world.files[self.inode];
            let len = file.live.len();
            file.durable.resize(len, 0);
        }
        fault
    }
}
