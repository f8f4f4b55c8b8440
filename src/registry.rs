//! Registry of the engines of a kind of method: one line for each.

/// Declares an enum of engines, tagged by their names in campaigns, whose settings implement a
/// trait. The JSON Schema, `check`, `plan` and the documentation follow from it. With `checked by`, a
/// function collects the settings that are out of range, and the trait adds further faults.
macro_rules! engines {
    (
        $(#[$meta:meta])*
        pub enum $registry:ident: dyn $interface:ident, checked by $check:ident {
            $($(#[$doc:meta])* $variant:ident($(#[$attribute:meta])* $settings:ty) = $name:literal,)+
        }
    ) => {
        engines! {
            $(#[$meta])*
            pub enum $registry: dyn $interface {
                $($(#[$doc])* $variant($(#[$attribute])* $settings) = $name,)+
            }
        }

        impl $registry {
            /// Settings that are out of range, or that contradict each other.
            pub fn faults(&self) -> Vec<RangeFault> {
                let mut faults = match self {
                    $(Self::$variant { settings } => $check(settings),)+
                };
                faults.extend(self.implementation().faults());
                faults
            }
        }
    };
    (
        $(#[$meta:meta])*
        pub enum $registry:ident: dyn $interface:ident {
            $($(#[$doc:meta])* $variant:ident($(#[$attribute:meta])* $settings:ty) = $name:literal,)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(tag = "engine")]
        pub enum $registry {
            $(
                $(#[$doc])*
                #[serde(rename = $name)]
                $variant {
                    /// Settings of the engine.
                    $(#[$attribute])*
                    settings: $settings,
                },
            )+
        }

        impl $registry {
            /// Name used in campaigns.
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$variant { .. } => $name,)+
                }
            }

            /// Implementation of the engine.
            pub fn implementation(&self) -> &dyn $interface {
                match self {
                    $(Self::$variant { settings } => settings,)+
                }
            }

            /// Implementation of the engine, to change its settings.
            pub fn implementation_mut(&mut self) -> &mut dyn $interface {
                match self {
                    $(Self::$variant { settings } => settings,)+
                }
            }
        }
    };
}
