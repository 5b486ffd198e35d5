//! The two exchanges over real sockets: hand-written bytes on 127.0.0.1, and counts of what came
//! in there.
#![cfg(test)]

mod answers;
mod connections;
mod faults;
mod limits;
mod requests;
mod support;
mod tokens;
