//! One value, or a list of which any serves: `method = "GET"` and `method = ["GET", "HEAD"]`.

use std::fmt;

use serde::de::value::{BoolDeserializer, I64Deserializer, MapAccessDeserializer, StrDeserializer, U64Deserializer};
use serde::de::{Deserialize, DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Unexpected, Visitor};
use serde::{Serialize, Serializer};

/// At least one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnyOf<T>(Vec<T>);

impl<T> AnyOf<T> {
    /// These, if there is one.
    #[must_use]
    pub fn new(values: Vec<T>) -> Option<Self> {
        (!values.is_empty()).then_some(Self(values))
    }

    /// All of them, in the order in which they were written.
    pub fn iter(&self) -> std::slice::Iter<'_, T> {
        self.0.iter()
    }

    /// All of them, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, T> {
        self.0.iter_mut()
    }

    /// Whether one serves.
    pub fn any(&self, serves: impl FnMut(&T) -> bool) -> bool {
        self.0.iter().any(serves)
    }
}

impl<'a, T> IntoIterator for &'a AnyOf<T> {
    type Item = &'a T;
    type IntoIter = std::slice::Iter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl<T: Serialize> Serialize for AnyOf<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0[..] {
            [one] => one.serialize(serializer),
            several => several.serialize(serializer),
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for AnyOf<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut values = Vec::new();
        deserializer.deserialize_any(Collect { values: &mut values, is_element: false })?;
        Ok(Self(values))
    }
}

/// Reads a list as it is, and anything else as a list of one. Not an untagged enum: that would say of a wrong value only
/// that it is wrong. Values are made within a visit, which is where an error gets its place in the document.
struct Collect<'a, T> {
    values: &'a mut Vec<T>,
    is_element: bool,
}

impl<T> Collect<'_, T> {
    fn keep<E: Error>(self, value: Result<T, E>) -> Result<(), E> {
        self.values.push(value?);
        Ok(())
    }
}

impl<'de, T: Deserialize<'de>> DeserializeSeed<'de> for Collect<'_, T> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de, T: Deserialize<'de>> Visitor<'de> for Collect<'_, T> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_element { "a value" } else { "a value or a list of values" })
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.keep(T::deserialize(StrDeserializer::new(text)))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.keep(T::deserialize(I64Deserializer::new(number)))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.keep(T::deserialize(U64Deserializer::new(number)))
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.keep(T::deserialize(BoolDeserializer::new(value)))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.keep(T::deserialize(MapAccessDeserializer::new(map)))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        if self.is_element {
            return Err(A::Error::invalid_type(Unexpected::Seq, &self));
        }
        while list.next_element_seed(Collect { values: self.values, is_element: true })?.is_some() {}
        let is_empty = self.values.is_empty();
        if is_empty { Err(A::Error::custom("an empty list: name one at least, or leave the key out")) } else { Ok(()) }
    }
}
