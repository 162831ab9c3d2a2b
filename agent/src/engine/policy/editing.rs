//! What rules change of an exchange that goes on.

use std::sync::Arc;

use http::StatusCode;

use super::Policy;
use super::rules::subject::{ConnFacts, Subject};
use crate::engine::decode::protobuf::schema::MessageType;
use crate::engine::decode::stream::Kind;
use crate::engine::edit::{Change, Failed, Transform, prepare};
use crate::engine::http::exchange::Direction;
use crate::engine::http::{Field, RequestHead};

/// What becomes of one direction besides its head.
pub struct Edited {
    /// The rules that change it.
    pub rules: Vec<String>,
    /// What changes its body, if anything does.
    pub transform: Option<Transform>,
}

impl Policy {
    /// Changes the head of a request as its rules say. Messages of a stream go through `scripted` as well.
    ///
    /// # Errors
    /// If that cannot be done: the request then goes no further.
    pub fn edit_request(
        &self,
        head: &mut RequestHead,
        connection: ConnFacts<'_>,
        scripted: Vec<Box<dyn Change>>,
    ) -> Result<Edited, Failed> {
        let asked = head.clone();
        let subject = Subject::new(&asked, connection);
        let mut edited = Edited { rules: Vec::new(), transform: None };
        let mut changes: Vec<Box<dyn Change>> = Vec::new();
        for (number, rule) in self.rules.changing(&subject).filter(|(_, rule)| !rule.request.is_empty()) {
            rule.request.edit_head(head)?;
            if !rule.request.body.is_empty() {
                changes.push(Box::new(Arc::new(rule.request.body.clone())));
            }
            edited.rules.push(self.rules.name(number));
        }
        let is_stream = asked.tunnel.is_some() || subject.messages().is_some();
        changes.extend(scripted.into_iter().filter(|_| is_stream));
        if !changes.is_empty() {
            // A tunnel begins when the server agrees to it, which it has where this is asked.
            let agreed = (if asked.version == "HTTP/2" { 200 } else { 101 }, &[][..]);
            let response = asked.tunnel.as_ref().map(|_| agreed);
            let tunnel = asked.tunnel.as_deref();
            let transform = Transform::new(Direction::Request, &asked.fields, tunnel, response, changes);
            let transform = transform.of_type(self.type_of(&subject, Direction::Request));
            transform.mend(&mut head.fields);
            edited.transform = Some(transform);
        }
        if self.rules.changes_responses(subject.host()) || asked.tunnel.is_some() && edited.transform.is_some() {
            prepare(&mut head.fields);
        }
        Ok(edited)
    }

    /// Changes the head of a response as the rules say that are about it and its request, which is as it came.
    ///
    /// # Errors
    /// If that cannot be done: the response then goes no further.
    pub fn edit_response(
        &self,
        request: &RequestHead,
        connection: ConnFacts<'_>,
        (status, fields): (&mut StatusCode, &mut Vec<Field>),
        scripted: Vec<Box<dyn Change>>,
    ) -> Result<Edited, Failed> {
        let subject = Subject::new(request, connection).answered(*status);
        let (came, came_fields) = (status.as_u16(), fields.clone());
        let mut edited = Edited { rules: Vec::new(), transform: None };
        let mut changes: Vec<Box<dyn Change>> = Vec::new();
        for (number, rule) in self.rules.changing(&subject).filter(|(_, rule)| !rule.response.is_empty()) {
            rule.response.edit_head(status, fields)?;
            if !rule.response.body.is_empty() {
                changes.push(Box::new(Arc::new(rule.response.body.clone())));
            }
            edited.rules.push(self.rules.name(number));
        }
        let tunnel = request.tunnel.as_deref();
        let is_stream = Kind::of(Direction::Response, &request.fields, tunnel, Some((came, &came_fields))).is_some();
        changes.extend(scripted.into_iter().filter(|_| is_stream));
        if !changes.is_empty() {
            let response = Some((came, &came_fields[..]));
            let transform = Transform::new(Direction::Response, &request.fields, tunnel, response, changes);
            let transform = transform.of_type(self.type_of(&subject, Direction::Response));
            transform.mend(fields);
            edited.transform = Some(transform);
        }
        Ok(edited)
    }

    fn type_of(&self, subject: &Subject<'_>, direction: Direction) -> Option<MessageType> {
        let method = self.schema.method(subject.path())?;
        Some(match direction {
            Direction::Request => method.input,
            Direction::Response => method.output,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::rules::rule::Rule;
    use super::super::rules::subject::tests::{connection, head};
    use super::*;
    use crate::engine::policy::Mode;

    fn policy(rules: &[&str]) -> Policy {
        let rules: Vec<Rule> = rules.iter().map(|rule| toml::from_str(rule).unwrap()).collect();
        Policy { rules: rules.into(), ..Policy::new(Mode::Observe) }
    }

    #[test]
    fn all_rules_that_are_about_an_exchange_change_it_in_their_order() {
        let policy = policy(&[
            "name = 'one'\nmatch.host = 'a.example'\nrequest.headers.set = { x = '1', y = '1' }",
            "name = 'two'\nverdict = 'allow'\nrequest.headers.set = { x = '2' }",
            "name = 'late'\nmatch.status = '5xx'\nresponse.status = 200\nresponse.headers.set = { was = '5xx' }",
            "name = 'other'\nmatch.host = 'b.example'\nrequest.headers.set = { x = '3' }",
            "name = 'body'\nmatch.method = 'GET'\nresponse.body.strip = true",
        ]);
        let asked = head("GET", "a.example/", &[("accept-encoding", "gzip, odd")]);
        let mut request = asked.clone();
        let edited = policy.edit_request(&mut request, connection(), Vec::new()).unwrap();
        assert_eq!((edited.rules, edited.transform.is_some()), (vec!["one".to_owned(), "two".into()], false));
        let expect = [Field::new("y", "1"), Field::new("x", "2"), Field::new("accept-encoding", "gzip")];
        assert_eq!(request.fields, expect);
        for (came, status, rules) in [(404, 404, vec!["body"]), (503, 200, vec!["late", "body"])] {
            let (mut now, mut fields) = (StatusCode::from_u16(came).unwrap(), vec![Field::new("content-length", "3")]);
            let edited = policy.edit_response(&asked, connection(), (&mut now, &mut fields), Vec::new()).unwrap();
            assert_eq!((now.as_u16(), edited.rules), (status, rules.into_iter().map(str::to_owned).collect()));
            assert!(edited.transform.is_some() && !fields.iter().any(|field| field.is("content-length")));
        }
    }
}
