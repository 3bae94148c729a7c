//! Segment tries: a path is walked segment by segment, at each by its own text and by the child for any.

use std::collections::{BTreeMap, VecDeque};

use crate::image::{Builder, Section, narrow, target};

use super::access::{Atom, End, Step};
use super::terms::ANY;
use super::{hash, tables};

/// The tries of an image in the making.
#[derive(Debug, Default)]
pub(super) struct Tries {
    roots: Vec<usize>,
    nodes: Vec<Node>,
}

#[derive(Debug)]
struct Node {
    children: BTreeMap<Step, usize>,
    here: u32,
    from_here: u32,
    below: u32,
}

impl Default for Node {
    fn default() -> Self {
        Self { children: BTreeMap::new(), here: target::NONE, from_here: target::NONE, below: target::NONE }
    }
}

impl Tries {
    /// Adds the trie of these tests and where they lead; gives its number.
    pub(super) fn add(&mut self, entries: &[(Atom<'_>, u32)]) -> u32 {
        let root = self.node();
        for (atom, leads) in entries {
            let Atom::Segments(_, steps, end) = atom else { continue };
            let mut at = root;
            for step in steps {
                at = self.child(at, *step);
            }
            if let Some(node) = self.nodes.get_mut(at) {
                match end {
                    End::Here => node.here = *leads,
                    End::FromHere => node.from_here = *leads,
                    End::Below => node.below = *leads,
                }
            }
        }
        self.roots.push(root);
        narrow(self.roots.len() - 1)
    }

    fn node(&mut self) -> usize {
        self.nodes.push(Node::default());
        self.nodes.len() - 1
    }

    fn child(&mut self, at: usize, step: Step) -> usize {
        if let Some(known) = self.nodes.get(at).and_then(|node| node.children.get(&step)) {
            return *known;
        }
        let child = self.node();
        if let Some(node) = self.nodes.get_mut(at) {
            node.children.insert(step, child);
        }
        child
    }

    /// Writes every node: the roots, then children in the order of their parents' keys, so that each number is given once.
    pub(super) fn write(&self, builder: &mut Builder) {
        let mut queue: VecDeque<usize> = self.roots.iter().copied().collect();
        let mut next = narrow(queue.len());
        while let Some(node) = queue.pop_front().and_then(|at| self.nodes.get(at)) {
            let key = |step: &Step| match step {
                Step::Literal(hash) => *hash,
                Step::Any => hash::number(ANY),
            };
            let mut children: Vec<(u64, usize)> =
                node.children.iter().map(|(step, child)| (key(step), *child)).collect();
            children.sort_unstable();
            let numbered = children.iter().zip(next..).map(|((hash, _), number)| (*hash, number)).collect();
            let [first, count, bucket, bits] = tables::write_keys(numbered, builder);
            next += count;
            queue.extend(children.iter().map(|(_, child)| *child));
            let any = u32::from(node.children.contains_key(&Step::Any)) << 8;
            builder.push(Section::Trie, &[first, count, bucket, bits | any, node.here, node.from_here, node.below]);
        }
    }
}
