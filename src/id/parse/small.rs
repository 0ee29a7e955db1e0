//! Bare metal: the one pass that also finds the faults is all the code there is.

pub(super) use super::exact::decode;
