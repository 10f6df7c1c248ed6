// Adds the products of STEPS staged `rows` and `columns`, HEIGHT and WIDTH of them, to the 4 x 4 entries
// (a + DOWN i, b + ACROSS j) of thread (a, b).
#for k in range(STEPS)
{
    #for i in range(4)
    let l_$i$ = rows[$k$][$i$][a];
    let r_$i$ = columns[$k$][$i$][b];
    #endfor
    #for i in range(4)
    #for j in range(4)
    sum[$i$][$j$] = fma(l_$i$.x, r_$j$.x, fma(l_$i$.y, r_$j$.y, fma(l_$i$.z, r_$j$.z, fma(l_$i$.w, r_$j$.w, sum[$i$][$j$]))));
    #endfor
    #endfor
}
#endfor
