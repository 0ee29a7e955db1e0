//! Random operations of several tenants, on a store and on a simple model of all rules.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, TestRunner};
use tenancy::{TenantFutureExt, TenantId};
use tenancy_agents::{
    Agent, AgentContent, AgentId, AgentStatus, Capabilities, Clock, Filter, IdGenerator, Query, Store, Tier,
    Transition, Visibility,
};

use super::support::{Subject, Ticks, name, told};
use crate::support::{A, B, P};

const TENANTS: [TenantId; 3] = [A, B, P];
const TAGS: [&str; 3] = ["chat", "paint", "search"];

/// An operation of a tenant. An agent is identified by the number of agents that were created before it.
#[derive(Clone, Debug)]
pub(crate) enum Operation {
    Register(u8, AgentContent),
    Get(usize),
    ByName(u8),
    List(Filter, Option<usize>, usize),
    Count(Filter),
    Update(usize, u64, AgentContent),
    Step(usize, Transition),
    Heartbeat(usize),
}

fn content() -> impl Strategy<Value = AgentContent> {
    (0..2_u8, 0..3_usize, any::<bool>(), 0..8_u8).prop_map(|(text, tier, is_shared, tags)| {
        let tags = TAGS.iter().enumerate().filter(|(place, _)| tags & 1 << place != 0).map(|(_, tag)| *tag);
        AgentContent {
            description: ["", "words"][usize::from(text)].parse().expect("a text"),
            tier: Tier::ALL[tier],
            visibility: Visibility::ALL[usize::from(is_shared)],
            capabilities: Capabilities::parse(tags).expect("tags"),
            ..AgentContent::default()
        }
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let status = proptest::option::weighted(0.4, 0..AgentStatus::ALL.len());
    let tag = proptest::option::weighted(0.3, 0..TAGS.len());
    let tier = proptest::option::weighted(0.2, 0..3_usize);
    let visibility = proptest::option::weighted(0.2, 0..2_usize);
    (status, tag, tier, visibility).prop_map(|(status, tag, tier, visibility)| Filter {
        status: status.map(|place| AgentStatus::ALL[place]),
        capability: tag.map(|place| TAGS[place].parse().expect("a tag")),
        tier: tier.map(|place| Tier::ALL[place]),
        visibility: visibility.map(|place| Visibility::ALL[place]),
    })
}

fn operation() -> impl Strategy<Value = Operation> {
    let agent = || 0..40_usize;
    prop_oneof![
        4 => (0..5_u8, content()).prop_map(|(name, content)| Operation::Register(name, content)),
        2 => agent().prop_map(Operation::Get),
        2 => (0..5_u8).prop_map(Operation::ByName),
        3 => (filter(), proptest::option::of(agent()), 0..6_usize)
            .prop_map(|(filter, after, limit)| Operation::List(filter, after, limit)),
        2 => filter().prop_map(Operation::Count),
        4 => (agent(), 0..5_u64, content())
            .prop_map(|(agent, revision, content)| Operation::Update(agent, revision, content)),
        10 => (agent(), 0..Transition::ALL.len())
            .prop_map(|(agent, step)| Operation::Step(agent, Transition::ALL[step])),
        1 => agent().prop_map(Operation::Heartbeat),
    ]
}

/// Tenants, by their places in `TENANTS`, and their operations.
pub(crate) fn script(length: usize) -> impl Strategy<Value = Vec<(usize, Operation)>> {
    proptest::collection::vec((0..TENANTS.len(), operation()), length)
}

/// A list of agents, and each rule in its simplest form.
#[derive(Default)]
pub(crate) struct Model {
    agents: Vec<Agent>,
    ticks: Ticks,
}

impl Model {
    fn sees(tenant: TenantId, agent: &Agent) -> bool {
        let shared = agent.content.visibility == Visibility::Shared;
        agent.tenant == tenant || (agent.tenant == P && shared && agent.status == AgentStatus::Active)
    }

    fn of(&self, tenant: TenantId, id: AgentId) -> Option<usize> {
        self.agents.iter().position(|agent| agent.id == id && Self::sees(tenant, agent))
    }

    fn named(&self, tenant: TenantId, name: &str) -> Option<&Agent> {
        let living = |agent: &&Agent| agent.name.as_str() == name && agent.status != AgentStatus::Deleted;
        let own = self.agents.iter().filter(living).find(|agent| agent.tenant == tenant);
        own.or_else(|| self.agents.iter().filter(living).find(|agent| Self::sees(tenant, agent)))
    }

    fn wanted(&self, tenant: TenantId, filter: &Filter) -> Vec<&Agent> {
        let is_wanted = |agent: &&Agent| {
            let tags: Vec<_> = agent.content.capabilities.iter().collect();
            Self::sees(tenant, agent)
                && filter.status.map_or(agent.status != AgentStatus::Deleted, |status| status == agent.status)
                && filter.tier.is_none_or(|tier| tier == agent.content.tier)
                && filter.visibility.is_none_or(|visibility| visibility == agent.content.visibility)
                && filter.capability.as_ref().is_none_or(|tag| tags.contains(&tag))
        };
        let mut agents: Vec<_> = self.agents.iter().filter(is_wanted).collect();
        agents.sort_by_key(|agent| agent.id);
        agents
    }

    /// Returns the tenants whose agents prevent an agent from being shared.
    fn holders(&self, agent: &Agent) -> Vec<TenantId> {
        let holds = |other: &&Agent| {
            other.tenant != P && other.name == agent.name && other.status != AgentStatus::Deleted
        };
        let mut holders: Vec<_> = self.agents.iter().filter(holds).map(|other| other.tenant).collect();
        holders.sort_unstable();
        holders
    }

    /// Applies a change, unless it would share an agent whose name is taken.
    fn change(&mut self, place: usize, new: Agent) -> String {
        let holders = self.holders(&new);
        let is_shared_now = Self::sees(A, &new) && new.tenant == P && !Self::sees(A, &self.agents[place]);
        if let (true, Some((first, others))) = (is_shared_now, holders.split_first()) {
            return format!("NameHeld {first} {}", others.len());
        }
        self.agents[place] = new;
        format!("{:?}", self.agents[place])
    }

    fn changeable(&self, tenant: TenantId, id: AgentId) -> Result<usize, String> {
        match self.of(tenant, id) {
            None => Err("NotFound".into()),
            Some(place) if self.agents[place].tenant != tenant => Err("ReadOnly".into()),
            Some(place) => Ok(place),
        }
    }

    fn register(&mut self, tenant: TenantId, text: &str, content: AgentContent) -> String {
        if let Some(found) = self.named(tenant, text) {
            return match () {
                () if found.tenant != tenant => "NameShared".into(),
                () if found.content == content => format!("false {found:?}"),
                () => "NameTaken".into(),
            };
        }
        let now = self.ticks.now();
        let agent = Agent {
            id: self.ticks.new_id(),
            tenant,
            name: name(text),
            content,
            status: AgentStatus::Draft,
            revision: 1,
            created_at: now,
            updated_at: now,
            last_seen_at: None,
        };
        self.agents.push(agent.clone());
        format!("true {agent:?}")
    }

    fn update(&mut self, tenant: TenantId, id: AgentId, revision: u64, content: AgentContent) -> String {
        // The registry reads the clock before the store reads the agent.
        let updated_at = self.ticks.now();
        let place = match self.changeable(tenant, id) {
            Ok(place) => place,
            Err(error) => return error,
        };
        let agent = self.agents[place].clone();
        match () {
            () if agent.status == AgentStatus::Deleted => "Deleted".into(),
            () if agent.revision != revision => format!("Revision {revision} {}", agent.revision),
            () => self.change(place, Agent { content, revision: revision + 1, updated_at, ..agent }),
        }
    }

    fn step(&mut self, tenant: TenantId, id: AgentId, step: Transition) -> String {
        use AgentStatus::{Active, Deleted, Deprecated, Draft, PendingApproval, Rejected, Suspended};
        let updated_at = self.ticks.now();
        let place = match self.changeable(tenant, id) {
            Ok(place) => place,
            Err(error) => return error,
        };
        let agent = self.agents[place].clone();
        let (from, status) = (agent.status, step.target());
        match (from, step, status) {
            (Deleted, Transition::Delete, _) => return format!("{agent:?}"),
            (_, Transition::Delete, Deleted)
            | (Draft, Transition::Submit, PendingApproval)
            | (PendingApproval, Transition::Approve, Active)
            | (PendingApproval, Transition::Reject, Rejected)
            | (Active, Transition::Suspend, Suspended)
            | (Active, Transition::Deprecate, Deprecated)
            | (Suspended, Transition::Resume, Active) => {}
            _ => return format!("Transition {from} {status}"),
        }
        self.change(place, Agent { status, revision: agent.revision + 1, updated_at, ..agent })
    }

    fn heartbeat(&mut self, tenant: TenantId, id: AgentId) -> String {
        // The registry asks for the time before it knows whether it needs it.
        let now = self.ticks.now();
        let place = match self.changeable(tenant, id) {
            Ok(place) => place,
            Err(error) => return error,
        };
        if self.agents[place].status == AgentStatus::Deleted {
            return "Deleted".into();
        }
        self.agents[place].last_seen_at = Some(now);
        "()".into()
    }

    /// Returns the id of the agent that an operation names, or an id that nobody has.
    fn id(&self, agent: usize) -> AgentId {
        self.agents.get(agent).map_or(Self::absent(), |agent| agent.id)
    }

    /// Returns an id that nobody has.
    fn absent() -> AgentId {
        AgentId::v7(tenancy_agents::UnixMillis(1_700_000_000_005), [0x77; 10])
    }

    pub(crate) fn answer(&mut self, tenant: TenantId, operation: Operation) -> String {
        match operation {
            Operation::Register(text, content) => self.register(tenant, &format!("n{text}"), content),
            Operation::Get(agent) => match self.of(tenant, self.id(agent)) {
                Some(place) => format!("{:?}", self.agents[place]),
                None => "NotFound".into(),
            },
            Operation::ByName(text) => match self.named(tenant, &format!("n{text}")) {
                Some(agent) => format!("{agent:?}"),
                None => "NotFound".into(),
            },
            Operation::List(filter, after, limit) => {
                let after = after.map(|agent| self.id(agent));
                let mut agents = self.wanted(tenant, &filter);
                agents.retain(|agent| after.is_none_or(|after| agent.id > after));
                let has_more = agents.len() > limit;
                agents.truncate(limit);
                let next = agents.last().map(|agent| agent.id).filter(|_| has_more);
                format!("{agents:?} {next:?}")
            }
            Operation::Count(filter) => self.wanted(tenant, &filter).len().to_string(),
            Operation::Update(agent, revision, content) => {
                self.update(tenant, self.id(agent), revision, content)
            }
            Operation::Step(agent, step) => self.step(tenant, self.id(agent), step),
            Operation::Heartbeat(agent) => self.heartbeat(tenant, self.id(agent)),
        }
    }
}

/// Returns the answer of a registry in the form that the model uses.
pub(crate) async fn answer<S: Store>(
    subject: &Subject<S>,
    tenant: TenantId,
    id: impl Fn(usize) -> AgentId,
    operation: Operation,
) -> String {
    let registry = &subject.registry;
    match operation {
        Operation::Register(text, content) => {
            let registered = registry.register(name(&format!("n{text}")), content).in_tenant(tenant).await;
            words(registered.map(|registered| format!("{} {:?}", registered.is_new, registered.agent)))
        }
        Operation::Get(agent) => {
            words(subject.get(tenant, id(agent)).await.map(|agent| format!("{agent:?}")))
        }
        Operation::ByName(text) => {
            words(subject.by_name(tenant, &format!("n{text}")).await.map(|agent| format!("{agent:?}")))
        }
        Operation::List(filter, after, limit) => {
            let query = Query { filter, after: after.map(id), limit };
            let (agents, next) = subject.page(tenant, &query).await;
            format!("{agents:?} {next:?}")
        }
        Operation::Count(filter) => subject.count(tenant, &filter).await.to_string(),
        Operation::Update(agent, revision, content) => {
            let updated = registry.update(id(agent), revision, content).in_tenant(tenant).await;
            words(updated.map(|agent| format!("{agent:?}")))
        }
        Operation::Step(agent, step) => {
            words(subject.step(tenant, id(agent), step).await.map(|agent| format!("{agent:?}")))
        }
        Operation::Heartbeat(agent) => {
            words(registry.heartbeat(id(agent)).in_tenant(tenant).await.map(|()| "()".into()))
        }
    }
}

fn words(answer: Result<String, tenancy_agents::AgentError>) -> String {
    use tenancy_agents::AgentError as Error;
    match answer {
        Ok(text) => text,
        Err(Error::NameHeld(holders)) => format!("NameHeld {} {}", holders.first, holders.others),
        Err(Error::Revision { expected, found }) => format!("Revision {expected} {found}"),
        Err(Error::Transition(error)) => format!("Transition {} {}", error.from(), error.to()),
        Err(error) => told::<()>(Err(error)).split(':').next().unwrap_or_default().to_owned(),
    }
}

/// Returns random operations and their tenants.
pub(crate) fn scripted(length: usize) -> impl Iterator<Item = (TenantId, Operation)> {
    let mut runner = TestRunner::new(Config { failure_persistence: None, ..Config::default() });
    let script = script(length).new_tree(&mut runner).expect("a script").current();
    script.into_iter().map(|(turn, operation)| (TENANTS[turn], operation))
}

/// The model's answers so far.
#[derive(Default)]
pub(crate) struct Answers {
    model: Model,
    /// The ids that existed before the current operation.
    ids: Vec<AgentId>,
    script: Vec<(TenantId, Operation)>,
    kinds: BTreeMap<String, usize>,
}

impl Answers {
    pub(crate) fn of_model(&mut self, tenant: TenantId, operation: &Operation) -> String {
        self.ids = self.model.agents.iter().map(|agent| agent.id).collect();
        let wanted = self.model.answer(tenant, operation.clone());
        let kind = wanted.split([' ', '(']).next().unwrap_or_default().to_owned();
        *self.kinds.entry(kind).or_default() += 1;
        self.script.push((tenant, operation.clone()));
        wanted
    }

    pub(crate) async fn compare<S: Store>(
        &self,
        store: &str,
        subject: &Subject<S>,
        tenant: TenantId,
        operation: &Operation,
        wanted: &str,
    ) {
        let id = |agent: usize| self.ids.get(agent).copied().unwrap_or(Model::absent());
        let told = answer(subject, tenant, id, operation.clone()).await;
        assert_eq!(told, wanted, "{store}, {operation:?} of {tenant}, the last of {:#?}", self.script);
    }

    /// A script whose operations are all rejected would prove little.
    pub(crate) fn check_that_all_kinds_were_met(&self) {
        for kind in ["NotFound", "Transition", "NameTaken", "true", "Agent"] {
            assert!(self.kinds.contains_key(kind), "the script has no {kind}: {:?}", self.kinds);
        }
    }
}

pub(crate) async fn a_store_matches_the_model<S: Store>(subject: &Subject<S>) {
    let mut answers = Answers::default();
    for (tenant, operation) in scripted(600) {
        let wanted = answers.of_model(tenant, &operation);
        answers.compare("the store", subject, tenant, &operation, &wanted).await;
    }
    answers.check_that_all_kinds_were_met();
}
