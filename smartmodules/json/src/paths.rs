//! Several paths in one walk over a document.

use crate::path::{Path, Step};
use crate::scan::{NotJson, Scanner, Text};
use crate::string::means;
use std::ops::Range;

/// Paths as a tree: what they have in common is walked once.
///
/// Its leaves are numbered so that those below a node are neighbours.
pub struct Paths {
    /// The root is the first one.
    nodes: Vec<Node>,
    /// The leaf of each path, in the order in which they were given.
    leaves: Vec<usize>,
}

#[derive(Default)]
struct Node {
    children: Vec<(Step, usize)>,
    is_leaf: bool,
    /// This node's own leaf, if it is one, and those below.
    leaves: Range<usize>,
}

/// What is told of the values that paths lead to.
pub trait Visitor {
    /// A member is there that leads to these leaves: whatever was found for them is outdated.
    fn enter(&mut self, leaves: Range<usize>);

    /// A leaf's value is at `span`; members with the same name are visited one by one.
    fn visit(&mut self, leaf: usize, span: Range<usize>);
}

impl Paths {
    pub fn new(paths: &[Path]) -> Self {
        let mut tree = Self {
            nodes: vec![Node::default()],
            leaves: Vec::new(),
        };
        let ends: Vec<_> = paths.iter().map(|path| tree.grow(&path.steps)).collect();
        tree.number(0, 0);
        tree.leaves = ends
            .into_iter()
            .map(|node| tree.nodes[node].leaves.start)
            .collect();
        tree
    }

    /// Makes a branch of these steps, and returns its end.
    fn grow(&mut self, steps: &[Step]) -> usize {
        let mut node = 0;
        for step in steps {
            let children = &self.nodes[node].children;
            let child = children.iter().find(|(each, _)| each == step);
            node = child.map(|(_, child)| *child).unwrap_or_else(|| {
                let child = self.nodes.len();
                self.nodes[node].children.push((step.clone(), child));
                self.nodes.push(Node::default());
                child
            });
        }
        self.nodes[node].is_leaf = true;
        node
    }

    /// Numbers the leaves of a branch from `first` on, and returns what comes after the last.
    fn number(&mut self, node: usize, first: usize) -> usize {
        let mut next = first + usize::from(self.nodes[node].is_leaf);
        for index in 0..self.nodes[node].children.len() {
            let (_, child) = self.nodes[node].children[index];
            next = self.number(child, next);
        }
        self.nodes[node].leaves = first..next;
        next
    }

    /// Returns the leaf of each path, in the order in which they were given.
    pub fn leaves(&self) -> impl Iterator<Item = usize> {
        self.leaves.iter().copied()
    }

    /// Walks over a document and tells where the values are.
    #[inline]
    pub fn walk(&self, document: &[u8], visitor: &mut impl Visitor) -> Result<(), NotJson> {
        let mut walk = Walk {
            nodes: &self.nodes,
            scanner: Scanner::new(document),
            visitor,
        };
        walk.value(&self.nodes[0], 0)?;
        walk.scanner.finish()
    }
}

/// One walk. It calls itself only as deep as paths are long; depth beyond is the scanner's.
struct Walk<'a, V> {
    nodes: &'a [Node],
    scanner: Scanner<'a>,
    visitor: &'a mut V,
}

impl<V: Visitor> Walk<'_, V> {
    fn value(&mut self, node: &Node, depth: u32) -> Result<(), NotJson> {
        let start = self.scanner.position();
        match self.scanner.peek() {
            b'{' if !node.children.is_empty() => self.object(node, depth)?,
            b'[' if !node.children.is_empty() => self.array(node, depth)?,
            _ => {
                self.scanner.skip_value(depth)?;
            }
        }
        if node.is_leaf {
            self.visitor
                .visit(node.leaves.start, start..self.scanner.position());
        }
        Ok(())
    }

    fn object(&mut self, node: &Node, depth: u32) -> Result<(), NotJson> {
        self.scanner.check_depth(depth)?;
        let mut more = self.scanner.open(b'}');
        while more {
            let name = self.scanner.name()?;
            match node.child_named(name) {
                Some(child) => {
                    let child = &self.nodes[child];
                    self.visitor.enter(child.leaves.clone());
                    self.value(child, depth + 1)?;
                }
                None => {
                    self.scanner.skip_value(depth + 1)?;
                }
            }
            more = self.scanner.next(b'}')?;
        }
        Ok(())
    }

    fn array(&mut self, node: &Node, depth: u32) -> Result<(), NotJson> {
        self.scanner.check_depth(depth)?;
        let mut more = self.scanner.open(b']');
        let mut index = 0;
        while more {
            let start = self.scanner.position();
            let mut walked = false;
            for (step, child) in &node.children {
                if *step == Step::Each || *step == Step::Index(index) {
                    self.scanner.rewind(start);
                    self.value(&self.nodes[*child], depth + 1)?;
                    walked = true;
                }
            }
            if !walked {
                self.scanner.skip_value(depth + 1)?;
            }
            more = self.scanner.next(b']')?;
            index += 1;
        }
        Ok(())
    }
}

impl Node {
    #[inline(always)]
    fn child_named(&self, name: Text) -> Option<usize> {
        let is_named = |step: &Step| match step {
            Step::Name(wanted) if name.escaped => means(name.raw, wanted),
            Step::Name(wanted) => name.raw == &**wanted,
            _ => false,
        };
        let child = self.children.iter().find(|(step, _)| is_named(step));
        child.map(|(_, child)| *child)
    }
}
