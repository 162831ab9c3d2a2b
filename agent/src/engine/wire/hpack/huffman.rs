//! The Huffman code of HPACK (RFC 7541 section 5.2, appendix B). It is canonical, so the lengths alone define it.

/// The length in bits of each symbol's code; the last is the end of the string.
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
    28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12,
    10, 13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6,
    5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22,
    22, 23, 22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20,
    22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28,
    27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28,
    27, 27, 27, 27, 27, 26, 30,
];
const END_OF_STRING: u16 = 256;
/// Marks a leaf of the tree; the rest is its symbol.
const LEAF: u16 = 1 << 15;

/// The code as a tree: for each inner node, where a zero and a one lead.
static TREE: [[u16; 2]; 256] = tree();

/// Adds what `bytes` encode to `out`; false if they are not a code: an end of string, or padding that is longer than
/// seven bits or not all ones.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut node, mut pending_bits, mut all_ones) = (0_u16, 0_u8, true);
    for byte in bytes {
        for bit in (0..8).rev().map(|shift| byte >> shift & 1) {
            let next = TREE[usize::from(node)][usize::from(bit)];
            (pending_bits, all_ones) = (pending_bits + 1, all_ones && bit == 1);
            node = next;
            if next & LEAF != 0 {
                let Ok(symbol) = u8::try_from(next & !LEAF) else { return false };
                out.push(symbol);
                (node, pending_bits, all_ones) = (0, 0, true);
            }
        }
    }
    pending_bits < 8 && all_ones
}

const fn tree() -> [[u16; 2]; 256] {
    let mut tree = [[0; 2]; 256];
    let (mut nodes, mut code, mut length) = (1, 0_u32, 1_u8);
    while length <= 30 {
        let mut symbol = 0;
        while symbol <= END_OF_STRING {
            if LENGTHS[symbol as usize] == length {
                nodes = insert(&mut tree, nodes, code, length, symbol);
                code += 1;
            }
            symbol += 1;
        }
        code <<= 1;
        length += 1;
    }
    tree
}

/// Adds one symbol's code; returns how many nodes there are then.
const fn insert(tree: &mut [[u16; 2]; 256], mut nodes: u16, code: u32, length: u8, symbol: u16) -> u16 {
    let (mut node, mut left) = (0, length);
    while left > 1 {
        left -= 1;
        let bit = (code >> left & 1) as usize;
        if tree[node][bit] == 0 {
            tree[node][bit] = nodes;
            nodes += 1;
        }
        node = tree[node][bit] as usize;
    }
    tree[node][(code & 1) as usize] = LEAF | symbol;
    nodes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn examples_of_the_rfc_decode() {
        let table: &[(&[u8], &[u8])] = &[
            (&[0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff], b"www.example.com"),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf], b"no-cache"),
            (&[0x25, 0xa8, 0x49, 0xe9, 0x5b, 0xa9, 0x7d, 0x7f], b"custom-key"),
            (&[0x64, 0x02], b"302"),
            (&[0xae, 0xc3, 0x77, 0x1a, 0x4b], b"private"),
            (&[], b""),
        ];
        for (bytes, expected) in table {
            let mut out = Vec::new();
            assert!(decode(bytes, &mut out), "{bytes:x?}");
            assert_eq!(out, *expected);
        }
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let table: &[(&[u8], &str)] = &[
            (&[0xff, 0xff, 0xff, 0xff], "end of string"),
            (&[0x64, 0x02, 0xff], "a byte of padding"),
            (&[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbe], "padding that is not all ones"),
        ];
        for (bytes, why) in table {
            assert!(!decode(bytes, &mut Vec::new()), "{why}");
        }
    }
}
