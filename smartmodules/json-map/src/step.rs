//! Steps: what they are, and what they do to a document.

use crate::cast::{TYPES, Type, cast};
use crate::node::{Member, Names, Node, not_an_object, path_text, position, take};
use dataflare_json::{Kind, Path, Value, numbered};
use dataflare_smartmodule::Result;

type NamePath = Box<Names>;

pub enum Step {
    Rename(Vec<(NamePath, NamePath)>),
    Drop(Vec<NamePath>),
    Keep(Vec<NamePath>),
    Nest(Vec<(NamePath, Vec<NamePath>)>),
    Unnest(Vec<NamePath>),
    Cast(Vec<(NamePath, Type)>),
    Default(Vec<(NamePath, Box<[u8]>)>),
}

type Parsed<T> = std::result::Result<T, String>;

/// Reads the steps of a parameter.
pub fn parse_spec(text: &str) -> Parsed<Vec<Step>> {
    let spec = Value::parse(text.as_bytes()).map_err(|error| error.to_string())?;
    if spec.kind() != Kind::Array {
        return Err("it has to be an array of steps".into());
    }
    numbered(spec.elements(), parse_step)
}

/// Reads a step. Errors repeat nothing of it, as a spec may be a secret: they tell the place.
fn parse_step(step: Value) -> Parsed<Step> {
    let mut members = step.members();
    let (Some((name, value)), None) = (members.next(), members.next()) else {
        return Err("a step has to be an object with one name".into());
    };
    match name.text(&mut Vec::new()) {
        b"rename" => pairs(value, |to| parse_path(&string(to)?)).map(Step::Rename),
        b"drop" => paths(value).map(Step::Drop),
        b"keep" => paths(value).map(Step::Keep),
        b"nest" => pairs(value, paths).map(Step::Nest),
        b"unnest" => paths(value).map(Step::Unnest),
        b"cast" => pairs(value, parse_type).map(Step::Cast),
        b"default" => pairs(value, |value| Ok(value.raw().into())).map(Step::Default),
        _ => Err("a step has to be one of rename, drop, keep, nest, unnest, cast, default".into()),
    }
}

fn string(value: Value) -> Parsed<String> {
    let mut scratch = Vec::new();
    let text_bytes = value.text(&mut scratch);
    let plain = text_bytes.map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    plain.ok_or_else(|| "it has to be a string".into())
}

fn parse_path(text: &str) -> Parsed<NamePath> {
    let names = Path::parse(text)?.into_names();
    let names = names.filter(|names| !names.is_empty());
    names.ok_or_else(|| "a path has to lead by names only".into())
}

fn parse_type(value: Value) -> Parsed<Type> {
    let word = string(value)?;
    let found = TYPES.iter().find(|(name, _)| *name == word);
    found.map(|(_, each)| *each).ok_or_else(|| {
        let names: Vec<_> = TYPES.iter().map(|(name, _)| *name).collect();
        format!("a type has to be one of {}", names.join(", "))
    })
}

fn paths(value: Value) -> Parsed<Vec<NamePath>> {
    if value.kind() != Kind::Array {
        return Err("it has to be an array of paths".into());
    }
    numbered(value.elements(), |path| parse_path(&string(path)?))
}

/// Reads an object whose names are paths.
fn pairs<T>(value: Value, read: impl Fn(Value) -> Parsed<T>) -> Parsed<Vec<(NamePath, T)>> {
    if value.kind() != Kind::Object {
        return Err("it has to be an object of paths".into());
    }
    numbered(value.members(), |(name, value)| {
        let mut scratch = Vec::new();
        let path = String::from_utf8_lossy(name.text(&mut scratch));
        Ok((parse_path(&path)?, read(value)?))
    })
}

impl Step {
    /// Changes a document; what is missing in it is left alone.
    pub fn apply<'a>(&'a self, root: &mut Node<'a>) -> Result<()> {
        match self {
            Self::Rename(pairs) => pairs
                .iter()
                .try_for_each(|(from, to)| rename(root, from, to)),
            Self::Drop(paths) => {
                for path in paths {
                    remove(root, path);
                }
                Ok(())
            }
            Self::Keep(paths) => {
                keep(root, &paths.iter().map(|path| &**path).collect::<Vec<_>>());
                Ok(())
            }
            Self::Nest(pairs) => pairs.iter().try_for_each(|(to, from)| nest(root, to, from)),
            Self::Unnest(paths) => paths.iter().try_for_each(|path| unnest(root, path)),
            Self::Cast(pairs) => pairs
                .iter()
                .try_for_each(|(path, to)| cast_at(root, path, *to)),
            Self::Default(pairs) => pairs
                .iter()
                .try_for_each(|(path, value)| set_missing(root, path, value)),
        }
    }
}

/// Splits a path into the way to an object and the name in there.
fn split(path: &Names) -> (&[u8], &Names) {
    let (last, parents) = path.split_last().expect("no path is empty");
    (last, parents)
}

/// Takes a value out.
fn remove<'a>(root: &mut Node<'a>, path: &Names) -> Option<Node<'a>> {
    let (last, parents) = split(path);
    take(root.find(parents)?.members()?, last)
}

/// Puts a value in: where the old one was, or at the end.
fn set<'a>(root: &mut Node<'a>, path: &'a Names, node: Node<'a>) -> Result<()> {
    let (last, parents) = split(path);
    let members = root.members_at(parents)?;
    match position(members, last) {
        Some(index) => members[index].node = node,
        None => members.push(Member::new(last, node)),
    }
    Ok(())
}

/// Gives a value another name, in its place, or moves it to the end of another object.
fn rename<'a>(root: &mut Node<'a>, from: &'a Names, to: &'a Names) -> Result<()> {
    let ((old, old_parents), (new, new_parents)) = (split(from), split(to));
    if old_parents != new_parents {
        return match remove(root, from) {
            Some(node) => set(root, to, node),
            None => Ok(()),
        };
    }
    let members = root.find(old_parents).and_then(Node::members);
    let Some(members) = members.filter(|members| position(members, old).is_some()) else {
        return Ok(());
    };
    if old != new {
        take(members, new);
    }
    for member in members.iter_mut().filter(|member| member.is_named(old)) {
        member.name = new.into();
    }
    Ok(())
}

/// Keeps what paths lead to; returns whether there is any.
fn keep(node: &mut Node, paths: &[&Names]) -> bool {
    let Some(members) = node.members() else {
        return false;
    };
    members.retain_mut(|member| {
        let rests = paths.iter().filter_map(|path| path.split_first());
        let rests = rests.filter(|(first, _)| member.is_named(first));
        let rests: Vec<&Names> = rests.map(|(_, rest)| rest).collect();
        rests.iter().any(|rest| rest.is_empty())
            || !rests.is_empty() && keep(&mut member.node, &rests)
    });
    !members.is_empty()
}

/// Moves values into an object, which is made where the first of its neighbours among them was.
fn nest<'a>(root: &mut Node<'a>, to: &'a Names, from: &'a [NamePath]) -> Result<()> {
    let (name, parents) = split(to);
    let mut place = usize::MAX;
    let mut nested = Vec::new();
    for path in from {
        let (last, path_parents) = split(path);
        if path_parents == parents
            && let Some(members) = root.find(parents).and_then(Node::members)
        {
            place = place.min(position(members, last).unwrap_or(usize::MAX));
        }
        nested.extend(remove(root, path).map(|node| Member::new(last, node)));
    }
    if nested.is_empty() {
        return Ok(());
    }
    let members = root.members_at(parents)?;
    if position(members, name).is_none() {
        let object = Member::new(name, Node::Object(Vec::new()));
        members.insert(place.min(members.len()), object);
    }
    root.members_at(to)?.extend(nested);
    Ok(())
}

/// Puts the members of an object in its place; they replace others of their names.
fn unnest<'a>(root: &mut Node<'a>, path: &'a Names) -> Result<()> {
    let (name, parents) = split(path);
    let Some(members) = root.find(parents).and_then(Node::members) else {
        return Ok(());
    };
    let Some(index) = position(members, name) else {
        return Ok(());
    };
    if members[index].node.members().is_none() {
        return Err(not_an_object(path));
    }
    let Node::Object(inner) = members.remove(index).node else {
        unreachable!("it has members");
    };
    let is_replaced = |member: &Member| inner.iter().any(|each| each.is_named(&member.name));
    let place = members[..index]
        .iter()
        .filter(|member| !is_replaced(member))
        .count();
    members.retain(|member| !is_replaced(member));
    members.splice(place..place, inner);
    Ok(())
}

fn cast_at<'a>(root: &mut Node<'a>, path: &Names, to: Type) -> Result<()> {
    let Some(node) = root.find(path) else {
        return Ok(());
    };
    let json = node.json();
    let made = cast(Value::parse(&json)?, to).ok_or_else(|| {
        let text = String::from_utf8_lossy(&json);
        format!("{} cannot be cast: {text}", path_text(path))
    })?;
    *node = Node::Made(made);
    Ok(())
}

fn set_missing<'a>(root: &mut Node<'a>, path: &'a Names, value: &'a [u8]) -> Result<()> {
    match root.find(path) {
        Some(_) => Ok(()),
        None => set(root, path, Node::Raw(value)),
    }
}
