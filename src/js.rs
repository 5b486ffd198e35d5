//! The border: everything that knows JavaScript. It converts, and decides nothing.
//!
//! A call comes in as primitives and handles. It goes out as a value or as an error *record*
//! ([`outcome`]), never as a rejection: the shell throws, so that the stack is the caller's. No
//! code of the caller runs in here: the shell has read the fields and called the functions.

mod access_token_issuer;
mod auth;
mod call;
mod config;
mod errands;
#[cfg(feature = "fault-injection")]
mod fault_injection;
mod given;
mod outcome;
mod outgoing;
mod own_tls;
mod panic_hook;
mod remote_token_issuer;
mod runtime;
mod settle;
mod steps;
mod text;
mod validate_token;

/// Of Linux alone: see Cargo.toml.
#[cfg(target_os = "linux")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;
