//! Real servers, two-tenant fixtures and leak checks for tests of multi-tenant programs.
#![doc = include_str!("../README.md")]
