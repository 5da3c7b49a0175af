//! Dense identifiers: indices with a type, so that a task is never taken for a file.

use serde::{Deserialize, Serialize};

macro_rules! dense_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub u32);

        impl $name {
            /// The position in the dense table this id points into.
            #[must_use]
            pub fn index(self) -> usize {
                self.0 as usize
            }

            /// The id of a position; tables hold at most `u32::MAX` rows.
            #[must_use]
            pub fn from_index(index: usize) -> Self {
                Self(u32::try_from(index).expect("dense tables hold at most u32::MAX rows"))
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }
    };
}

dense_id! {
    /// A vertex of the DAG. Prints as `t12`; people see [`crate::Workflow::task_name`] instead.
    TaskId, "t"
}
dense_id! {
    /// The declaration a task was made from; `foreach` makes many tasks of one template.
    TemplateId, "T"
}
dense_id! {
    /// A declared path, directory or glob in [`crate::files::FileTable`].
    FileId, "f"
}
dense_id! {
    /// A place with one price and one fate over time.
    ZoneId, "z"
}
