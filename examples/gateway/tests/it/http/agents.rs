//! A tenant's agents are its own, and the platform's are shared as far as it says.

mod absent;
mod bodies;
mod cards;
mod conditions;
mod pages;
mod peers;
mod platform;
mod script;
