//! What a buyer reads: [`Message`], a sentence made of this package's own words.

use std::{borrow::Cow, fmt};

use crate::redact::Excerpt;

/// The message of an error, which the SDK's engine sends to the buyer.
///
/// It grows by [`Part`]s alone: literals, numbers, and what says of itself that it holds no more.
/// So no host, address or URL gets into it, and no word of a peer:
///
/// ```
/// # use key0_native::message::Message;
/// let refused = Message::new("Backend failed to issue token: ").with(503_u16);
/// assert_eq!(refused.as_str(), "Backend failed to issue token: 503");
/// ```
///
/// ```compile_fail
/// # use key0_native::message::Message;
/// let body = String::from("what the peer said");
/// Message::new("Backend failed to issue token: ").with(body.as_str());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message(Cow<'static, str>);

impl Message {
    /// These words.
    #[must_use]
    pub const fn new(words: &'static str) -> Self {
        Self(Cow::Borrowed(words))
    }

    /// These words, and behind them the text of an error that the caller's own code threw: the one
    /// thing in a message that others have worded.
    #[must_use]
    pub fn quoting_the_caller(words: &'static str, text: &Excerpt) -> Self {
        Self(Cow::Owned(format!("{words}{text}")))
    }

    /// The same with `part` at its end.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "so that a sentence reads as one")]
    pub fn with(self, part: impl Part) -> Self {
        let Self(mut text) = self;
        text.to_mut().push_str(&part.to_string());
        Self(text)
    }

    /// The whole sentence.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&'static str> for Message {
    fn from(words: &'static str) -> Self {
        Self::new(words)
    }
}

impl From<Message> for String {
    fn from(Message(text): Message) -> Self {
        text.into_owned()
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl PartialEq<&str> for Message {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

/// What may stand in a [`Message`]. A type that implements it shows nothing that was read from a
/// peer, the configuration or the environment, but for the names of the caller's own headers.
pub trait Part: fmt::Display {}

impl Part for &'static str {}
impl Part for u16 {}
impl Part for usize {}
impl Part for Message {}
