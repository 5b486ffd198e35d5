//! Another token, where the backend rejects the first.

use tokio::time::{Instant, timeout_at};

use crate::{
    auth::{Auth, ClientCredentials, Io},
    errand::{Answer, Errand},
    http::headers::HeaderLine,
    now::Now,
    secret::Secret,
};

/// What gives another token where the backend rejects the first.
pub(super) struct Renewal {
    strategy: ClientCredentials,
    /// Whether only the caller's side can ask it.
    is_asked: bool,
    /// When the call began.
    call: Now,
    io: Io,
}

impl Renewal {
    /// Boxed, since hardly any call needs it.
    pub fn of(auth: Auth, call: Now, io: &Io, is_asked: bool) -> Option<Box<Self>> {
        match auth {
            Auth::ClientCredentials(strategy) => {
                Some(Box::new(Self { strategy, is_asked, call, io: io.clone() }))
            }
            Auth::None | Auth::SharedSecret(_) | Auth::SignedJwt(_) => None,
        }
    }

    /// Headers with a token that is not the one in `lines`; else why there are none.
    pub async fn headers(
        self,
        lines: &[HeaderLine],
        deadline: Instant,
    ) -> Result<Vec<HeaderLine>, Option<String>> {
        let rejected = lines.first().ok_or(None)?;
        match timeout_at(deadline, self.token(&rejected.value)).await {
            Ok(value) => Ok(vec![HeaderLine { value: value?, ..rejected.clone() }]),
            Err(_) => Err(Some("none came in time".to_owned())),
        }
    }

    async fn token(self, rejected: &Secret) -> Result<Secret, Option<String>> {
        let Self { strategy, is_asked, call, io } = self;
        if is_asked {
            strategy.invalidate(Some(rejected.expose()));
            return match io.errands.run(Errand::Token).await {
                Answer::Text(token) => Ok(token),
                Answer::Other(_) => Err(None),
                Answer::Failed(why) => Err(Some(strategy.quoted(&why))),
            };
        }
        let mono = Instant::now().into_std();
        let token = strategy.another_token(rejected, call, mono, &io).await;
        token.map_err(|error| error.cause.map(|cause| cause.message))
    }
}
