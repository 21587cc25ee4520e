//! A document that is taken apart only as far as it changes.

use dataflare_json::{Kind, Value, put_string};
use dataflare_smartmodule::{Error, Result};
use std::borrow::Cow;

/// A value of the document.
pub enum Node<'a> {
    /// JSON as it stands in the record, or in the parameters.
    Raw(&'a [u8]),
    /// JSON that was made here.
    Made(Vec<u8>),
    Object(Vec<Member<'a>>),
}

pub struct Member<'a> {
    pub name: Cow<'a, [u8]>,
    pub node: Node<'a>,
}

/// The names on the way to a value.
pub type Names = [Box<[u8]>];

impl<'a> Node<'a> {
    /// Returns the members of an object, and `None` of anything else.
    pub fn members(&mut self) -> Option<&mut Vec<Member<'a>>> {
        if let Self::Raw(raw) = self {
            *self = Self::Object(take_apart(raw)?);
        }
        match self {
            Self::Object(members) => Some(members),
            _ => None,
        }
    }

    /// Returns a value; of members with the same name it is the last.
    pub fn find(&mut self, names: &Names) -> Option<&mut Self> {
        names.iter().try_fold(self, |node, name| {
            let members = node.members()?;
            let index = position(members, name)?;
            Some(&mut members[index].node)
        })
    }

    /// Returns the members of an object, and makes it if it is missing.
    pub fn members_at(&mut self, names: &'a Names) -> Result<&mut Vec<Member<'a>>> {
        let mut node = self;
        for (depth, name) in names.iter().enumerate() {
            let members = node
                .members()
                .ok_or_else(|| not_an_object(&names[..depth]))?;
            let index = position(members, name).unwrap_or_else(|| {
                members.push(Member::new(name, Self::Object(Vec::new())));
                members.len() - 1
            });
            node = &mut members[index].node;
        }
        node.members().ok_or_else(|| not_an_object(names))
    }

    /// Returns the node as JSON.
    pub fn json(&self) -> Cow<'_, [u8]> {
        match self {
            Self::Raw(raw) => Cow::Borrowed(raw),
            Self::Made(made) => Cow::Borrowed(made),
            Self::Object(_) => {
                let mut out = Vec::new();
                self.put(&mut out);
                Cow::Owned(out)
            }
        }
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Raw(raw) => out.extend_from_slice(raw),
            Self::Made(made) => out.extend_from_slice(made),
            Self::Object(members) => {
                out.push(b'{');
                for (index, member) in members.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    put_string(out, &member.name);
                    out.push(b':');
                    member.node.put(out);
                }
                out.push(b'}');
            }
        }
    }
}

impl<'a> Member<'a> {
    pub fn new(name: &'a [u8], node: Node<'a>) -> Self {
        let name = Cow::Borrowed(name);
        Self { name, node }
    }

    pub fn is_named(&self, name: &[u8]) -> bool {
        *self.name == *name
    }
}

/// Returns the index of the member that counts of those with a name: the last.
pub fn position(members: &[Member], name: &[u8]) -> Option<usize> {
    members.iter().rposition(|member| member.is_named(name))
}

/// Takes a member out, and any other with its name.
pub fn take<'a>(members: &mut Vec<Member<'a>>, name: &[u8]) -> Option<Node<'a>> {
    let taken = members.extract_if(.., |member| member.is_named(name));
    taken.last().map(|member| member.node)
}

pub fn not_an_object(names: &Names) -> Error {
    format!("{} is not an object", path_text(names)).into()
}

pub fn path_text(names: &Names) -> String {
    let names: Vec<_> = names
        .iter()
        .map(|name| String::from_utf8_lossy(name))
        .collect();
    names.join(".")
}

fn take_apart(raw: &[u8]) -> Option<Vec<Member<'_>>> {
    let value = Value::parse(raw)
        .ok()
        .filter(|value| value.kind() == Kind::Object)?;
    let members = value.members().map(|(name, value)| {
        let mut scratch = Vec::new();
        let name = match name.plain() {
            Some(plain) => Cow::Borrowed(plain),
            None => {
                name.text(&mut scratch);
                Cow::Owned(scratch)
            }
        };
        let node = Node::Raw(value.raw());
        Member { name, node }
    });
    Some(members.collect())
}
