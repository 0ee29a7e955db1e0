//! A page of a list of agents.

use core::fmt::{self, Write};

use heapless::String;
use tenancy_agents::{Agent, AgentId};

use crate::agent::write_agent;

/// The longest text that [`Page::end`] writes: its punctuation and an id.
const END: usize = "],\"next\":\"\"}\n".len() + 36;

/// Writes a page of agents as a JSON object: as many agents as fit into the buffer, and the id to continue after.
#[derive(Debug)]
pub struct Page<'b, const N: usize> {
    body: &'b mut String<N>,
    last: Option<AgentId>,
    is_full: bool,
}

impl<'b, const N: usize> Page<'b, N> {
    /// Begins a page at the end of `body`.
    pub fn begin(body: &'b mut String<N>) -> Self {
        let is_full = body.write_str("{\"agents\":[").is_err();
        Self { body, last: None, is_full }
    }

    /// Adds an agent if it fits as a whole.
    ///
    /// The page is full after the first agent that does not fit: otherwise a later, shorter one would be listed out of
    /// order.
    pub fn push(&mut self, agent: &Agent) {
        if self.is_full {
            return;
        }
        let before = self.body.len();
        let comma = if self.last.is_some() { "," } else { "" };
        let written = self.body.write_str(comma).and_then(|()| write_agent(agent, self.body));
        if written.is_ok() && self.body.len() + END <= self.body.capacity() {
            self.last = Some(agent.id);
        } else {
            self.body.truncate(before);
            self.is_full = true;
        }
    }

    /// Ends the page. `next` is the id to continue after, if all agents that were pushed did fit.
    ///
    /// # Errors
    ///
    /// Fails if not even the first agent did fit.
    pub fn end(self, next: Option<AgentId>) -> fmt::Result {
        let next = if self.is_full { Some(self.last.ok_or(fmt::Error)?) } else { next };
        match next {
            Some(id) => writeln!(self.body, "],\"next\":\"{id}\"}}"),
            None => writeln!(self.body, "],\"next\":null}}"),
        }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;

    use tenancy::TenantId;
    use tenancy_agents::{AgentContent, AgentName, AgentStatus, Text, UnixMillis};

    use super::*;

    const NOW: UnixMillis = UnixMillis(1_767_225_600_000);

    fn agent(number: u8) -> Agent {
        let content = AgentContent {
            display_name: Text::parse("An \"agent\"").expect("a short text"),
            ..AgentContent::default()
        };
        Agent {
            id: AgentId::v7(NOW, [number; 10]),
            tenant: TenantId::PLATFORM,
            name: AgentName::parse("agent").expect("a valid name"),
            content,
            status: AgentStatus::Draft,
            revision: 1,
            created_at: NOW,
            updated_at: NOW,
            last_seen_at: None,
        }
    }

    fn json(agent: &Agent) -> std::string::String {
        let mut text = std::string::String::new();
        write_agent(agent, &mut text).expect("the times are in range");
        text
    }

    #[test]
    fn writes_an_empty_page() {
        let mut body = String::<64>::new();
        Page::begin(&mut body).end(None).expect("it fits");
        assert_eq!(body, "{\"agents\":[],\"next\":null}\n");
    }

    #[test]
    fn writes_agents_and_the_next_id() {
        let (first, second) = (agent(1), agent(2));
        let mut body = String::<2048>::new();
        let mut page = Page::begin(&mut body);
        page.push(&first);
        page.push(&second);
        page.end(Some(second.id)).expect("it fits");
        let expected =
            format!("{{\"agents\":[{},{}],\"next\":\"{}\"}}\n", json(&first), json(&second), second.id);
        assert_eq!(body, expected.as_str());
    }

    #[test]
    fn continues_after_the_last_agent_that_fits() {
        let agents = [1, 2, 3].map(agent);
        let mut body = String::<1024>::new();
        let mut page = Page::begin(&mut body);
        for agent in &agents {
            page.push(agent);
        }
        page.end(None).expect("one agent fits");
        let expected = format!(
            "{{\"agents\":[{},{}],\"next\":\"{}\"}}\n",
            json(&agents[0]),
            json(&agents[1]),
            agents[1].id
        );
        assert_eq!(body, expected.as_str());
    }

    #[test]
    fn adds_no_agent_after_one_that_does_not_fit() {
        let mut long = agent(2);
        long.content.description = "x".repeat(500).parse().expect("a text within its limit");
        let mut body = String::<1024>::new();
        let mut page = Page::begin(&mut body);
        page.push(&agent(1));
        page.push(&long);
        page.push(&agent(3));
        page.end(None).expect("one agent fits");
        let expected = format!("{{\"agents\":[{}],\"next\":\"{}\"}}\n", json(&agent(1)), agent(1).id);
        assert_eq!(body, expected.as_str());
    }

    #[test]
    fn fails_if_the_first_agent_does_not_fit() {
        let mut body = String::<256>::new();
        let mut page = Page::begin(&mut body);
        page.push(&agent(1));
        assert!(page.end(None).is_err());
    }
}
