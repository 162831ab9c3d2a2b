//! Fields as a script sees them: an object with names in lower case, whose values are a string each, or an array of them
//! where a name is there several times. What has not changed stays as it was sent, in its place.

use std::collections::HashMap;

use http::{HeaderName, HeaderValue};
use rquickjs::{Coerced, Ctx, Object, Value};

use super::error::Fault;
use crate::engine::http::{CARRIED, Field};
use crate::engine::wire::http1::{MAX_FIELDS, MAX_HEAD};

/// Names in lower case with their values, in the order in which they come first.
#[derive(Default)]
struct Grouped {
    entries: Vec<(String, Vec<String>)>,
    places: HashMap<String, usize>,
}

impl Grouped {
    fn of(fields: &[Field]) -> Self {
        let mut grouped = Self::default();
        for field in fields {
            grouped.values(lower(&field.name)).push(text(&field.value));
        }
        grouped
    }

    fn values(&mut self, name: String) -> &mut Vec<String> {
        let place = *self.places.entry(name.clone()).or_insert_with(|| {
            self.entries.push((name, Vec::new()));
            self.entries.len() - 1
        });
        &mut self.entries[place].1
    }

    fn find(&self, name: &str) -> Option<&Vec<String>> {
        let (_, values) = self.entries.get(*self.places.get(name)?)?;
        Some(values)
    }
}

/// `fields` as an object.
pub(super) fn show<'js>(ctx: &Ctx<'js>, fields: &[Field]) -> Result<Object<'js>, Fault> {
    let object = Object::new(ctx.clone())?;
    for (name, values) in Grouped::of(fields).entries {
        match &values[..] {
            [value] => object.set(name, value.as_str())?,
            values => object.set(name, values.to_vec())?,
        }
    }
    Ok(object)
}

/// `fields` as `headers`, which a script has had, now says they are.
pub(super) fn read(headers: &Value<'_>, fields: &[Field]) -> Result<Vec<Field>, Fault> {
    let (wanted, sent) = (wanted(headers)?, Grouped::of(fields));
    if wanted.find("host").is_some_and(|host| sent.find("host").is_some_and(|sent| sent != host)) {
        return Fault::unusable("headers.host has changed: a request goes where it was sent");
    }
    let mut read = Vec::with_capacity(fields.len());
    let mut is_written: HashMap<&str, ()> = HashMap::new();
    for field in fields {
        let name = lower(&field.name);
        let (is, was) = (wanted.find(&name), sent.places.get_key_value(&name));
        if CARRIED.contains(&name.as_str()) || is == sent.find(&name) {
            read.push(field.clone());
        } else if let (Some(is), Some((name, _))) = (is, was)
            && is_written.insert(name, ()).is_none()
        {
            read.extend(is.iter().map(|value| Field { value: value.clone().into(), ..field.clone() }));
        }
    }
    let added =
        wanted.entries.iter().filter(|(name, _)| sent.find(name).is_none() && !CARRIED.contains(&name.as_str()));
    read.extend(added.flat_map(|(name, values)| values.iter().map(|value| Field::new(name.clone(), value.clone()))));
    if read != fields {
        check(&read)?;
    }
    Ok(read)
}

/// What an object says that a script has made: the fields of an answer.
pub(super) fn made(headers: &Value<'_>) -> Result<Vec<Field>, Fault> {
    read(headers, &[])
}

fn wanted(headers: &Value<'_>) -> Result<Grouped, Fault> {
    let object = headers.as_object().filter(|object| !object.is_array());
    let Some(object) = object.filter(|object| !is_collection(object)) else {
        return Fault::unusable("headers is no plain object of names and values");
    };
    let mut wanted = Grouped::default();
    for property in object.props::<String, Value<'_>>() {
        let (name, value) = property?;
        let values = values(&name, &value)?;
        // Of names that differ in case only, what was written last counts.
        *wanted.values(name.to_ascii_lowercase()) = values;
    }
    Ok(wanted)
}

/// Whether it is a `Map`, whose entries are no properties.
fn is_collection(object: &Object<'_>) -> bool {
    object.get::<_, Value<'_>>("entries").is_ok_and(|entries| entries.is_function())
}

/// The values of one name; none for `undefined` and `null`.
fn values(name: &str, value: &Value<'_>) -> Result<Vec<String>, Fault> {
    if let Some(array) = value.as_array() {
        return array.iter::<Value<'_>>().map(|value| one(name, &value?)).collect();
    }
    if value.is_undefined() || value.is_null() { Ok(Vec::new()) } else { Ok(vec![one(name, value)?]) }
}

fn one(name: &str, value: &Value<'_>) -> Result<String, Fault> {
    if value.is_object() || value.is_symbol() || value.is_undefined() || value.is_null() {
        return Fault::unusable(format!("headers[{name:?}] is a {}: make it a string", value.type_name()));
    }
    Ok(value.get::<Coerced<String>>()?.0)
}

/// What a head may have.
fn check(fields: &[Field]) -> Result<(), Fault> {
    let size: usize = fields.iter().map(|field| field.name.len() + field.value.len() + 4).sum();
    if fields.len() > MAX_FIELDS || size > MAX_HEAD {
        return Fault::unusable(format!("headers has more than {MAX_FIELDS} fields or {MAX_HEAD} bytes"));
    }
    for field in fields {
        if HeaderName::from_bytes(&field.name).is_err() || HeaderValue::from_bytes(&field.value).is_err() {
            return Fault::unusable(format!("headers has {field:?}, which is no field"));
        }
    }
    Ok(())
}

fn lower(name: &[u8]) -> String {
    text(name).to_ascii_lowercase()
}

/// Text, or what would be text if it were Latin-1.
fn text(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => bytes.iter().copied().map(char::from).collect(),
    }
}
