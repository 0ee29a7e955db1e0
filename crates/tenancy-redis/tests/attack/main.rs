//! Attacks of one tenant on another, written from the public documentation alone.
//!
//! Tenant A sends commands to a server that contains data of tenant B. After each case the data of B must be unchanged, and
//! no reply and no error may contain a canary, which is a text in each value and in some names of B.

mod acl;
mod admin;
mod bytes;
mod cache;
mod case;
mod counts;
mod dedicated;
mod flush;
mod foreign_keys;
mod grid;
mod handles;
mod names;
mod newer;
mod patterns;
mod pipelines;
mod policy;
mod pubsub;
mod replies;
mod scripts;
mod show;
mod tasks;
mod world;
