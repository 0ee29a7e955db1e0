//! The description of an agent's content, from which all forms of it are generated.

/// Calls a macro with the fields of [`AgentContent`](crate::AgentContent): the documentation, name and type of each.
///
/// The type itself, its builder methods, its JSON forms, and the columns, parameters and rows of the stores are generated
/// from this list. A new field is added here, to [`Field`](crate::Field) if it can be invalid, and to the schemas.
macro_rules! content_fields {
    ($generate:ident) => {
        $generate! {
            /// The name for display.
            display_name: Text<128>,
            /// The agent's purpose.
            description: Description,
            /// The version, in any format.
            version: Text<32>,
            /// The importance.
            tier: Tier,
            /// Which tenants see the agent.
            visibility: Visibility,
            /// The abilities by which agents are found.
            capabilities: Capabilities,
            /// The URL of the agent.
            endpoint: Endpoint,
            /// The person or team that is responsible for the agent.
            owner: Text<64>,
            /// The card, on hosts. Without the feature `json`, `Card` has no value, and this field no size.
            card: Option<Card>,
        }
    };
}

pub(crate) use content_fields;
