//! A reference to a store, which is a store too: for one in a `static`, or one that is shared.

use super::Store;
use crate::agent::{Agent, AgentName};
use crate::clock::UnixMillis;
use crate::error::AgentError;
use crate::id::AgentId;
use crate::query::{Filter, Query};

impl<S: Store> Store for &S {
    fn get(&self, id: AgentId) -> impl Future<Output = Result<Option<Agent>, AgentError>> + Send {
        (**self).get(id)
    }

    fn get_by_name(
        &self,
        name: &AgentName,
    ) -> impl Future<Output = Result<Option<Agent>, AgentError>> + Send {
        (**self).get_by_name(name)
    }

    fn list(
        &self,
        query: &Query,
        each: impl FnMut(Agent) + Send,
    ) -> impl Future<Output = Result<(), AgentError>> + Send {
        (**self).list(query, each)
    }

    fn count(&self, filter: &Filter) -> impl Future<Output = Result<u64, AgentError>> + Send {
        (**self).count(filter)
    }

    fn insert(&self, agent: &Agent) -> impl Future<Output = Result<(), AgentError>> + Send {
        (**self).insert(agent)
    }

    fn replace(&self, agent: &Agent, revision: u64) -> impl Future<Output = Result<bool, AgentError>> + Send {
        (**self).replace(agent, revision)
    }

    fn change<E: From<AgentError> + Send + 'static>(
        &self,
        id: AgentId,
        change: impl FnMut(&mut Agent) -> Result<(), E> + Send + 'static,
    ) -> impl Future<Output = Result<Option<Agent>, E>> + Send {
        (**self).change(id, change)
    }

    fn touch(&self, id: AgentId, at: UnixMillis) -> impl Future<Output = Result<bool, AgentError>> + Send {
        (**self).touch(id, at)
    }
}
