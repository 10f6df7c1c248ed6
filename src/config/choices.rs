use serde::{Deserialize, Serialize};

/// A setting that is one of a few words, the first by default: its variants, the words of files and flags, and what these
/// mean, as documentation here and as the flag's help.
macro_rules! choice {
    ($(#[$about:meta])* $name:ident {
        $first:ident $first_word:literal $first_help:literal
        $($variant:ident $word:literal $help:literal)*
    }) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
        pub enum $name {
            #[default]
            #[doc = $first_help]
            #[serde(rename = $first_word)]
            $first,
            $(#[doc = $help] #[serde(rename = $word)] $variant,)*
        }

        impl $name {
            /// Its words, and what they mean.
            pub const WORDS: &[(&str, &str)] = &[($first_word, $first_help), $(($word, $help)),*];
        }
    };
}

choice! {
    /// The optimiser of every member of a study.
    Optimizer {
        Radam "radam" "Rectified Adam (Liu et al., *On the variance of the adaptive learning rate and beyond*, ICLR 2020)"
        Adam "adam" "Adam (Kingma and Ba, ICLR 2015)"
    }
}

choice! {
    /// Which of the equal forms of the recurrence computes forward and adjoint.
    Form {
        Auto "auto" "The cheaper one for the shape, by operation count"
        Plain "plain" "`z' = A ∘ z + W φ(z) + h`, step by step"
        Blocked "blocked" "The almost-linear form: blocks of unforced steps through powers of `diag(A) + W`; plain where these grow too far to be accurate"
        Fused "fused" "The same with a block's work kept in a GPU's workgroup memory; blocked where that has no room, there are inputs or not 1 to 4 ReLU units, and on the CPU"
    }
}

choice! {
    /// Which estimate of D_stsp scores use.
    DstspChoice {
        Auto "auto" "Bins where their smoothing stays far below the rows, the Gaussian mixture otherwise"
        Bins "bins" "As the paper's code: bins up to 10 dimensions, the mixture above"
        Gmm "gmm" "The Gaussian mixture"
    }
}

choice! {
    /// Where to train.
    BackendChoice {
        Auto "auto" "A hardware GPU where there is one, the CPU otherwise"
        Cpu "cpu" "The CPU"
        Gpu "gpu" "A graphics adapter"
    }
}
