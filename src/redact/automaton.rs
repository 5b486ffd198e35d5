//! Finds all needles in one pass (Aho and Corasick, 1975). It is written out here, since a library's
//! keeps copies of the needles that cannot be zeroed, and does not say how much of one has been read
//! where a text was cut.

use zeroize::{DefaultIsZeroes, Zeroizing};

use super::work;

/// Needles, sought without regard to case, and with `+` for a blank as forms have it.
pub struct Automaton {
    nodes: Zeroizing<Vec<Node>>,
    /// The root's children by each byte that counts as theirs: nearly every step is one of these.
    roots: Zeroizing<[u32; 256]>,
}

/// The beginning of a needle.
#[derive(Clone, Copy, Default)]
struct Node {
    /// Its last byte.
    byte: u8,
    /// Its first continuation, 0 for none.
    child: u32,
    /// The next beginning that differs in the last byte, 0 for none.
    sibling: u32,
    /// The longest beginning of a needle that it ends in.
    fallback: u32,
    /// Its length.
    depth: u32,
    /// The length of the longest needle that it ends in, 0 for none.
    longest: u32,
}

impl DefaultIsZeroes for Node {}

/// Where in the needles a search stands: the longest beginning that has just been read.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct State(u32);

impl Automaton {
    /// For these, which together have fewer than 2^32 bytes.
    pub fn new(needles: &[Zeroizing<Vec<u8>>]) -> Self {
        // Reserved whole: what a growing `Vec` leaves behind is not zeroed.
        let length: usize = needles.iter().map(|needle| needle.len()).sum();
        let nodes = Zeroizing::new(Vec::with_capacity(length + 1));
        let mut automaton = Self { nodes, roots: Zeroizing::new([0; 256]) };
        automaton.nodes.push(Node::default());
        for needle in needles {
            automaton.insert(needle);
        }
        for byte in 0..=u8::MAX {
            automaton.roots[usize::from(byte)] = automaton.roots[usize::from(folded(byte))];
        }
        automaton.link();
        automaton
    }

    /// Where a search stands after `byte` as well.
    #[inline]
    pub fn step(&self, State(mut node): State, byte: u8) -> State {
        while node != 0 {
            if let Some(child) = self.child(node, folded(byte)) {
                return State(child);
            }
            node = self.node(node).fallback;
            work::add(1);
        }
        work::add(1);
        State(self.roots[usize::from(byte)])
    }

    /// The length of the longest needle that has just been read, 0 for none.
    pub fn found(&self, State(node): State) -> usize {
        self.node(node).longest as usize
    }

    /// How much of a needle has just been read.
    pub fn depth(&self, State(node): State) -> usize {
        self.node(node).depth as usize
    }

    fn insert(&mut self, needle: &[u8]) {
        let mut node = 0;
        for byte in needle.iter().map(|byte| folded(*byte)) {
            node = self.child(node, byte).unwrap_or_else(|| self.extend(node, byte));
        }
        let length = self.node(node).depth;
        self.nodes[node as usize].longest = length;
    }

    fn extend(&mut self, node: u32, byte: u8) -> u32 {
        let Node { child: sibling, depth, .. } = self.node(node);
        let new = u32::try_from(self.nodes.len()).unwrap_or_default();
        self.nodes.push(Node { byte, sibling, depth: depth + 1, ..Node::default() });
        self.nodes[node as usize].child = new;
        if node == 0 {
            self.roots[usize::from(byte)] = new;
        }
        new
    }

    /// Gives each node its fallback, the shorter ones first.
    fn link(&mut self) {
        let mut queue = Vec::with_capacity(self.nodes.len());
        queue.push(0);
        let mut next = 0;
        while let Some(&parent) = queue.get(next) {
            next += 1;
            let mut child = self.node(parent).child;
            while child != 0 {
                queue.push(child);
                let Node { byte, sibling, longest, .. } = self.node(child);
                let State(fallback) = match parent {
                    0 => State(0),
                    _ => self.step(State(self.node(parent).fallback), byte),
                };
                let inherited = self.node(fallback).longest;
                let node = &mut self.nodes[child as usize];
                node.fallback = fallback;
                node.longest = longest.max(inherited);
                child = sibling;
            }
        }
    }

    fn child(&self, node: u32, byte: u8) -> Option<u32> {
        if node == 0 {
            return Some(self.roots[usize::from(byte)]).filter(|child| *child != 0);
        }
        let mut child = self.node(node).child;
        while child != 0 {
            work::add(1);
            let Node { byte: own, sibling, .. } = self.node(child);
            if own == byte {
                return Some(child);
            }
            child = sibling;
        }
        None
    }

    fn node(&self, node: u32) -> Node {
        self.nodes[node as usize]
    }
}

fn folded(byte: u8) -> u8 {
    if byte == b'+' { b' ' } else { byte.to_ascii_lowercase() }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The longest needle at each place of `text` where one ends, and what is left of one at its end.
    fn read(needles: &[&str], text: &str) -> (Vec<(usize, usize)>, usize) {
        let needles: Vec<_> =
            needles.iter().map(|needle| Zeroizing::new(needle.as_bytes().to_vec())).collect();
        let automaton = Automaton::new(&needles);
        let (mut state, mut found) = (State::default(), Vec::new());
        for (i, byte) in text.bytes().enumerate() {
            state = automaton.step(state, byte);
            found.extend(Some((i + 1, automaton.found(state))).filter(|(_, length)| *length > 0));
        }
        (found, automaton.depth(state))
    }

    #[test]
    fn every_needle_is_found_the_longest_where_two_end() {
        assert_eq!(read(&["he", "she", "his", "hers"], "ushers"), (vec![(4, 3), (6, 4)], 4));
        assert_eq!(read(&["aab", "ab"], "aaab ab"), (vec![(4, 3), (7, 2)], 2));
        assert_eq!(read(&["b", "abcd"], "abce"), (vec![(2, 1)], 0));
    }

    #[test]
    fn what_has_been_read_of_a_needle_at_the_end_is_known() {
        assert_eq!(read(&["ababc"], "xabab"), (vec![], 4));
        assert_eq!(read(&[], "xabab"), (vec![], 0));
    }

    #[test]
    fn case_does_not_count_and_plus_is_a_blank() {
        assert_eq!(read(&["A b+C"], "a+B c"), (vec![(5, 5)], 5));
    }
}
