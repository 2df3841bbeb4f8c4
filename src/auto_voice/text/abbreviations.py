"""Words that end in a full stop without ending a sentence, by language.

Without their last full stop. What is written apart (``z. B.``) stands here
together (``z.B``). An entry in lower case is also found with capitals; one with
capitals only as it is or all in capitals: "He sat. Then" is not Saturday.
"""

from typing import Dict

NEVER = "never"
"""Never ends a sentence: Dr. Watson, e.g. Berlin."""
NUMBER = "number"
"""Does not end one before a number: No. 5, Fig. A, Jan. 3."""
CAPITAL = "capital"
"""Ends one where a capital letter follows: etc. He, 5 p.m. He."""
KNOWN = "known"
"""Ends one where a word follows that often begins sentences: Inc. The, but Inc. Magazine."""

_COMMON = {
    NEVER: "dr drs prof mr mrs ms mme mlle St Sr Sra Mt vs cf ca e.g i.e",
    NUMBER: "No Nr nr pp vol fig tel p",
    CAPITAL: "etc a.m p.m",
    KNOWN: "al Inc Ltd Co Corp Jr Ph Ph.D",
}

_OWN: Dict[str, Dict[str, str]] = {
    "en": {
        NEVER: """
            Messrs Mx Rev Fr Hon Gen Col Lt Maj Capt Cmdr Cpl Sgt Adm Brig Gov Sen Rep Pres Supt
            Det Insp Ft viz approx esp incl excl resp c.f
        """,
        NUMBER: """
            no nos vols sec est figs eq eqs Eq Eqs Sec Ch Chap Art Ref Refs Ex Tab Pt Para ext
            Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec
            Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun
        """,
        CAPITAL: "esq ft lb lbs oz hr hrs mph",
        KNOWN: """
            St Sr Bros Ave Blvd Rd Hwy Dept dept Univ univ Assn ibid misc
            Ala Ariz Ark Calif Colo Conn Fla Ga Ill Ind Kan Ky La Md Mass Mich Minn Miss Mo Mont
            Neb Nev Okla Ore Pa Tenn Tex Va Vt Wash Wis Wyo
        """,
    },
    "de": {
        NEVER: """
            Hr Hrn Fr Frl Dipl Ing Mag Dres med phil jur rer nat habil z.B d.h z.T z.Zt i.d.R i.A
            i.V m.E o.g s.o s.u u.U v.a bzw evtl ggf ggfs inkl exkl einschl zzgl abzgl sog vgl bspw
            allg gegr geb gest verh max min mind entspr engl frz lat griech dt österr ehem versch
            Mio Mrd Tsd Str röm kath ev
        """,
        NUMBER: """
            Art Abs Bd Bde Kap Abb Tab Ziff Anm Pos Tel Jg Hrsg Aufl
            Jan Feb Mrz Mär Apr Jun Jul Aug Sep Sept Okt Nov Dez Mo Di Mi Do Sa So
        """,
        CAPITAL: "usw usf u.ä o.ä u.dgl ff",
        KNOWN: "u.a v.Chr n.Chr Jh Jhd Jhdt e.V GmbH Hbf Bhf Univ Min Std Sek",
    },
    "fr": {
        NEVER: """
            M MM Mmes Mlles Me Mgr Pr Ste Vve p.ex c.-à-d c.à.d av apr env boul bd éd réf
            dir coll
        """,
        NUMBER: """
            n nos p pp art chap fig vol ann tél
            janv févr avr juil sept oct nov déc
        """,
        CAPITAL: "",
        KNOWN: "J.-C Cie Sté dép ét",
    },
    "es": {
        NEVER: """
            sr sra Sres Srs srta Srtas Sras
            Dra Dras Dña Dª Profa Lic Licda Ing Arq Gral Cnel Cap Tte Sto
            Sta Excmo Excma Ilmo Ilma p.ej ej aprox av avda Avda ctra pza máx mín D
        """,
        NUMBER: """
            núm núms n.º nº pág págs págs vol vols cap caps art arts fig tel tfno dpto
            ene feb mar abr may jun jul ago sep sept oct nov dic
        """,
        CAPITAL: "",
        KNOWN: "Ud Uds Vd Vds EE EE.UU a.C d.C S.A S.L Cía Ltda depto",
    },
    "it": {
        NEVER: """
            sig sigg sig.ra sig.na dott dott.ssa prof.ssa ing avv arch geom rag On Sen Mons
            Gen Col egr gent spett p.es ad.es es cfr v.le p.zza ecc.mo S SS
        """,
        NUMBER: """
            n nn pag pagg vol voll cap capp art artt fig figg tel sez
            gen genn feb febbr mar apr mag magg giu lug ago set sett ott nov dic
        """,
        CAPITAL: "ecc",
        KNOWN: "a.C d.C S.p.A S.r.l C.so",
    },
    "pt": {
        NEVER: """
            sr sra srs sras srta Srtas
            Dra Dras Profa Profª Eng Engª Arq Exmo Exma Ilmo Ilma V.Exa Pe Fr
            Gen Cel Cap Sto Sta D p.ex av Av aprox máx mín pç
        """,
        NUMBER: """
            n nº núm pág págs vol cap art arts fig tel séc
            jan fev mar abr mai jun jul ago set out nov dez
        """,
        CAPITAL: "",
        KNOWN: "Ltda Cia S.A a.C d.C EUA",
    },
    "nl": {
        NEVER: """
            dhr mevr mej mw dr drs ir mr prof ing ds bijv bv b.v d.w.z m.a.w o.a m.b.t t.a.v i.v.m
            n.a.v t.o.v i.p.v o.l.v evt incl excl resp vgl zgn z.g zog max min gen kol
        """,
        NUMBER: """
            nrs blz pag art fig hfst afb
            jan feb mrt apr jun jul aug sep sept okt nov dec
        """,
        CAPITAL: "enz e.d e.a",
        KNOWN: "v.Chr n.Chr a.u.b s.v.p",
    },
    "pl": {
        NEVER: """
            dr prof mgr inż hab lek ks św bł gen płk ppłk kpt por mjr np tzn tzw m.in tj ul al pl im
            os woj zob zw red śp dyr
        """,
        NUMBER: "s str poz art ust pkt t rozdz rys tab nr ok godz tel",
        CAPITAL: "itd itp p.n.e n.e r w m.st",
        KNOWN: "tys mln mld wg zł gr",
    },
    "ru": {
        NEVER: """
            ул пр-т просп пл пер наб бул д кв корп стр обл респ пос дер ст им проф акад доц инж св
            тов т.е т.к т.н т.о т.ч напр см ср англ нем франц фр лат греч род гр чл
        """,
        NUMBER: """
            рис табл гл с п пп разд прил тел № янв февр фев мар апр авг сент сен окт нояб ноя дек
        """,
        CAPITAL: "т.д т.п др пр н.э",
        KNOWN: "г гг в вв руб коп тыс млн млрд час мин сек",
    },
    "sv": {
        NEVER: """
            dr prof hr fru t.ex tex bl.a d.v.s dvs fr.o.m t.o.m s.k sk ang resp inkl exkl jfr m.a.o
            p.g.a pga f.d ev eng lat fr
        """,
        NUMBER: "sid s kap fig tel kl jan feb apr jun jul aug sep sept okt nov dec",
        CAPITAL: "osv o.s.v m.m m.fl o.d",
        KNOWN: "f.Kr e.Kr f.v.t e.v.t",
    },
    "da": {
        NEVER: """
            dr hr fr frk prof f.eks bl.a d.v.s dvs evt inkl ekskl jf mht pga ifm ift hhv fhv Skt
            kgl eng lat
        """,
        NUMBER: "s sid kap fig tlf kl art jan feb apr jun jul aug sep sept okt nov dec",
        CAPITAL: "osv o.s.v m.m m.v mv m.fl o.l",
        KNOWN: "f.Kr e.Kr mio mia",
    },
    "no": {
        NEVER: """
            dr hr fr frk prof f.eks bl.a d.v.s dvs evt inkl ekskl jf jfr mht pga ift hhv kgl eng lat
        """,
        NUMBER: "s kap fig tlf kl art jan feb mars apr jun jul aug sep sept okt nov des",
        CAPITAL: "osv o.s.v m.m m.v mv m.fl o.l",
        KNOWN: "f.Kr e.Kr mill mrd",
    },
    "cs": {
        NEVER: """
            p pí sl dr prof doc Ing Mgr Bc MUDr JUDr RNDr PhDr MVDr ing mgr sv tzv tj tzn např mj
            resp cca ul nám tř gen plk kpt npor srov viz zejm
        """,
        NUMBER: "č čís číslo s str obr tab odst čl kap roč r",
        CAPITAL: "atd apod aj př.n.l n.l",
        KNOWN: "stol tis mil mld hod min CSc Ph.D",
    },
    "hi": {NEVER: "डॉ डा श्री श्रीमती प्रो सं पं"},
}

ALIASES = {"nb": "no", "nn": "no", "sk": "cs", "gl": "pt", "ca": "es", "uk": "ru", "be": "ru"}
"""Languages that borrow another one's tables."""

ORDINALS = frozenset("de lb da no is fo cs pl sl hr sr bs fi et lv hu tr eu".split())
"""Where a number with a full stop is an ordinal: 5. Mai."""


def abbreviations(language: str) -> Dict[str, str]:
    """Abbreviations of a language (a primary subtag) to what they say about a sentence's end."""
    own = _OWN.get(ALIASES.get(language, language), {})
    return {
        word: kind
        for table in (_COMMON, own)
        for kind, words in table.items()
        for word in words.split()
    }
